# METADATA
# title: The decision, with addresses and claims
# description: |
#   As authz, and its conditions know more: `addresses`, `claims`, and `own` and
#   `member` with {"claim": NAME}. Decisions are remembered by address and by
#   what the token says; authz, which reads neither, is remembered better.
# schemas:
#   - input: schema.input
package postern.context

import rego.v1

import data.postern.conditions
import data.postern.rules
import data.postern.subject
import data.postern.tenants

# METADATA
# entrypoint: true
default allow := false

allow if {
	some permission in rules.granting
	met(permission)
	not denied
}

denied if {
	some rule in rules.denying
	not unmet(rule)
}

denied if foreign

# As tenants.foreign; a claim may say to which tenant the request belongs.
foreign if {
	some tenant in tenants.named
	not tenants.belongs(tenant)
	not claimed(tenant)
	not tenants.crossing
}

foreign if tenants.unreadable

claimed(tenant) if claim(data.tenants.member.claim) == tenant

met(permission) if {
	every name, wanted in object.get(permission, "when", {}) {
		holds(name, wanted)
	}
}

unmet(rule) if {
	some name, wanted in rule.when
	readable(name, wanted)
	not holds(name, wanted)
}

readable(name, wanted) if conditions.readable(name, wanted)

# Without an address none can be spared for it.
readable("addresses", wanted) if {
	is_array(wanted)
	input.attributes.source.address.socketAddress.address
	every range in wanted {
		is_range(range)
	}
}

readable("claims", wanted) if is_object(wanted)

readable("own", wanted) if {
	is_object(wanted)
	every source in wanted {
		known(source)
	}
}

known(source) if subject.known(source)

known(source) if {
	is_object(source)
	object.keys(source) == {"claim"}
}

holds(name, wanted) if conditions.holds(name, wanted)

# The request comes from one of these ranges, as the gateway tells its source.
holds("addresses", wanted) if {
	some range in wanted
	is_range(range)
	net.cidr_contains(range, input.attributes.source.address.socketAddress.address)
}

# The token's claims are these; a list names several that are good, and a claim
# that is a list itself need hold but one of them.
holds("claims", wanted) if {
	every name, value in wanted {
		some good in listed(value)
		good in listed(claim(name))
	}
}

# As in conditions, and {"claim": NAME} is what the token says.
holds("own", wanted) if {
	every param, source in wanted {
		owns(param, source)
	}
}

owns(param, source) if subject.owns(param, source)

owns(param, source) if input.route.params[param] == claim(source.claim)

# A claim by its name, or by the list of names that lead to it.
claim(name) := input.identity.claims[name]

claim(path) := value if {
	is_array(path)
	value := object.get(input.identity.claims, path, null)
	value != null
}

listed(value) := value if is_array(value)

else := [value]

is_range(range) if {
	is_string(range)
	net.cidr_is_valid(range)
}
