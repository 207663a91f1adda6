# METADATA
# title: Who asks
# description: |
#   Helpers for rules about the consumer and its credential.
# schemas:
#   - input: schema.input
package postern.subject

import rego.v1

# The roles that were proven and all that they inherit from. A role that
# data.yaml doesn't know is not among them.
roles := graph.reachable(inherited, {role | some role in input.identity.roles})

inherited[name] := object.get(role, "inherits", []) if some name, role in data.roles

has_role(role) if role in roles

has_scope(scope) if scope in input.identity.scopes

in_group(group) if group in input.identity.groups

in_environment(environment) if input.consumer.environment == environment

# Whether a parameter that the route took from the path says what the consumer
# is, or names an object that data.owners says is the consumer's: source is
# "name", {"label": KEY}, {"attribute": KEY} or {"data": TABLE}.
owns(param, source) if input.route.params[param] == own(source)

owns(param, source) if owner(param, source) == input.consumer.name

owns(param, source) if {
	owners := owner(param, source)
	is_array(owners)
	input.consumer.name in owners
}

owner(param, source) := data.owners[source.data][input.route.params[param]]

own("name") := input.consumer.name

own(source) := input.consumer.labels[source.label]

own(source) := input.consumer.attributes[source.attribute]

# Whether a source is one of these, and not a slip of the pen.
known("name")

known(source) if {
	is_object(source)
	object.keys(source) in {{"label"}, {"attribute"}, {"data"}}
}
