# METADATA
# title: What speaks of the request
# description: |
#   Every permission of the consumer and every rule that denies which speaks of
#   this request, whatever its conditions. authz asks in the same order and
#   stops at the first; context and timed look at all.
# schemas:
#   - input: schema.input
package postern.rules

import rego.v1

import data.postern.permissions
import data.postern.subject

granting contains permission if {
	some role in subject.roles
	some permission in data.roles[role].permissions
	permissions.grants(permission)
}

granting contains permission if {
	some scope in input.identity.scopes
	some permission in data.scopes[scope]
	permissions.grants(permission)
}

granting contains permission if {
	some permission in data.public
	permissions.grants(permission)
}

denying contains rule if {
	some rule in data.deny
	permissions.forbids(rule)
}
