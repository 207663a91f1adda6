package postern.subject_test

import rego.v1

import data.postern.subject

roles := {"a": {"inherits": ["b"]}, "b": {"inherits": ["c", "a"]}, "c": {}}

test_inherited_roles if {
	subject.roles == {"a", "b", "c"} with input.identity.roles as ["a"] with data.roles as roles
	subject.roles == {"c"} with input.identity.roles as ["c", "stranger"] with data.roles as roles
	subject.has_role("c") with input.identity.roles as ["a"] with data.roles as roles
	not subject.has_role("a") with input.identity.roles as ["c"] with data.roles as roles
}

test_groups_scopes_environment if {
	subject.in_group("premium") with input.identity.groups as ["premium"]
	not subject.in_group("premium") with input.identity.groups as ["standard"]
	subject.has_scope("orders:read") with input.identity.scopes as ["orders:read"]
	not subject.has_scope("orders") with input.identity.scopes as ["orders:read"]
	subject.in_environment("prod") with input.consumer.environment as "prod"
	not subject.in_environment("prod") with input.consumer as null
}

of_account(account) := {
	"route": {"params": {"account": account}},
	"consumer": {"name": "mobile", "labels": {"account": "l-1"}, "attributes": {"account": "a-1"}},
}

test_owns if {
	subject.owns("account", "name") with input as of_account("mobile")
	subject.owns("account", {"label": "account"}) with input as of_account("l-1")
	subject.owns("account", {"attribute": "account"}) with input as of_account("a-1")
	not subject.owns("account", "name") with input as of_account("other")
	not subject.owns("account", {"label": "account"}) with input as of_account("a-1")
	not subject.owns("account", {"attribute": "none"}) with input as of_account("a-1")
	not subject.owns("order", "name") with input as of_account("mobile")
	not subject.owns("account", "names") with input as of_account("mobile")
}

of_order(order) := {"route": {"params": {"order": order}}, "consumer": {"name": "mobile"}}

owners := {"orders": {"7": "mobile", "8": ["web", "mobile"], "9": "web", "10": ["web"]}}

test_owners_in_data if {
	every order in ["7", "8"] {
		subject.owns("order", {"data": "orders"}) with input as of_order(order) with data.owners as owners
	}
	every order in ["9", "10", "11"] {
		not subject.owns("order", {"data": "orders"}) with input as of_order(order) with data.owners as owners
	}
	not subject.owns("order", {"data": "invoices"}) with input as of_order("7") with data.owners as owners
}

test_known_sources if {
	every source in ["name", {"label": "x"}, {"attribute": "x"}, {"data": "x"}] {
		subject.known(source)
	}
	every source in ["nmae", 7, {}, {"claim": "x"}, {"label": "x", "data": "x"}] {
		not subject.known(source)
	}
}
