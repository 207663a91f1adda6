# METADATA
# title: Who may do what
# description: What no rule permits is denied, and a rule that denies wins.
# schemas:
#   - input: schema.input
package postern.authz

import rego.v1

default allow := false

# A role permits methods on what begins with a segment: data.yaml says which.
allow if {
	some role in input.identity.roles
	some permission in data.permissions[role]
	input.attributes.request.http.method in permission.methods
	permission.under in {"*", input.parsed_path[0]}
	not denied
}

# The health page is for everyone, where the route lets anonymous requests through.
allow if {
	input.attributes.request.http.method == "GET"
	input.parsed_path == ["healthz"]
}

# An account is its owner's alone: the route /accounts/{account} names it.
denied if {
	account := input.route.params.account
	not owns(account)
}

owns(account) if input.consumer.labels.account == account
