# METADATA
# title: Conditions
# description: |
#   The conditions of a permission or of a rule that denies, its key `when`. All
#   of them must hold. These depend on the consumer and the route alone; context
#   and timed know more.
# schemas:
#   - input: schema.input
package postern.conditions

import rego.v1

import data.postern.subject

# Whether every condition holds. One that isn't known doesn't hold, so that a
# slip of the pen permits nothing.
met(permission) if {
	every name, wanted in object.get(permission, "when", {}) {
		holds(name, wanted)
	}
}

# Whether a known condition doesn't hold. One that isn't known or can't be read
# spares nobody, so that a slip of the pen in a rule that denies denies more,
# not less.
unmet(rule) if {
	some name, wanted in rule.when
	readable(name, wanted)
	not holds(name, wanted)
}

readable(name, wanted) if {
	name in {"environments", "groups", "scopes", "kinds", "issuers"}
	is_array(wanted)
}

readable(name, wanted) if {
	name in {"labels", "attributes"}
	is_object(wanted)
}

readable("own", wanted) if {
	is_object(wanted)
	every source in wanted {
		subject.known(source)
	}
}

# The consumer is of one of these environments.
holds("environments", wanted) if {
	some environment in wanted
	subject.in_environment(environment)
}

# It is in one of these groups.
holds("groups", wanted) if {
	some group in wanted
	subject.in_group(group)
}

# It has all of these scopes.
holds("scopes", wanted) if {
	every scope in wanted {
		subject.has_scope(scope)
	}
}

# It was proven by one of these kinds of credential.
holds("kinds", wanted) if input.credential.kind in wanted

# Its token came from one of these issuers.
holds("issuers", wanted) if input.identity.issuer in wanted

# Its labels are these; a list names several that are good.
holds("labels", wanted) if {
	every key, value in wanted {
		one_of(input.consumer.labels[key], value)
	}
}

# Its attributes are these; a list names several that are good.
holds("attributes", wanted) if {
	every key, value in wanted {
		one_of(input.consumer.attributes[key], value)
	}
}

# The parameters of the path are its own.
holds("own", wanted) if {
	every param, source in wanted {
		subject.owns(param, source)
	}
}

one_of(value, wanted) if value == wanted

one_of(value, wanted) if {
	is_array(wanted)
	value in wanted
}
