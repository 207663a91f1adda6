# METADATA
# title: Who may do what
# description: |
#   The decision. What is not permitted by name is denied, and a rule that denies
#   wins over every permission. Who may do what stands in data.yaml. It reads the
#   consumer, the method and the path, so that its decisions are remembered.
# schemas:
#   - input: schema.input
package postern.authz

import rego.v1

import data.postern.conditions
import data.postern.permissions
import data.postern.subject
import data.postern.tenants

# METADATA
# entrypoint: true
default allow := false

# By a role of the consumer, or one that it inherits from.
allow if {
	some role in subject.roles
	some permission in data.roles[role].permissions
	permissions.grants(permission)
	conditions.met(permission)
	not denied
}

# By a scope of the credential.
allow if {
	some scope in input.identity.scopes
	some permission in data.scopes[scope]
	permissions.grants(permission)
	conditions.met(permission)
	not denied
}

# For everyone, also without a credential.
allow if {
	some permission in data.public
	permissions.grants(permission)
	conditions.met(permission)
	not denied
}

denied if {
	some rule in data.deny
	permissions.forbids(rule)
	not conditions.unmet(rule)
}

# Most have no tenants, and shall not pay for them.
denied if {
	data.tenants
	tenants.foreign
}
