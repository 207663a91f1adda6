# Who asks: helpers for rules about the consumer and its credential.
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
# is: source is "name", {"label": KEY} or {"attribute": KEY}.
owns(param, source) if input.route.params[param] == own(source)

own("name") := input.consumer.name

own(source) := input.consumer.labels[source.label]

own(source) := input.consumer.attributes[source.attribute]
