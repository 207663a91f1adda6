package postern.context_test

import rego.v1

import data.postern.authz
import data.postern.context
import data.postern.timed

request := {
	"attributes": {
		"request": {"http": {"method": "GET"}},
		"source": {"address": {"socketAddress": {"address": "203.0.113.7"}}},
	},
	"parsed_path": ["orders", "u-1"],
	"consumer": {"name": "mobile", "environment": "prod", "labels": {"tenant": "acme"}, "attributes": {}},
	"credential": {"kind": "jwt"},
	"identity": {
		"roles": ["clerk"], "scopes": ["s"], "groups": [], "issuer": "shop",
		"claims": {"sub": "u-1", "amr": ["pwd", "otp"], "org": {"id": "o-1"}},
	},
	"route": {"params": {"user": "u-1", "org": "o-1", "app": "mobile"}},
}

everything := {"methods": ["*"], "paths": ["/**"]}

permitting(condition) := {"clerk": {"permissions": [object.union(everything, {"when": condition})]}}

good := [
	{},
	{"environments": ["prod"]},
	{"addresses": ["198.51.100.0/24", "203.0.113.0/24"]},
	{"addresses": ["203.0.113.7/32"]},
	{"claims": {"sub": "u-1"}},
	{"claims": {"sub": ["u-1", "u-2"], "amr": "otp"}},
	{"own": {"user": {"claim": "sub"}}},
	{"own": {"org": {"claim": ["org", "id"]}}},
	{"own": {"user": {"claim": "sub"}, "app": "name"}},
	{"own": {"user": {"claim": "sub"}}, "addresses": ["203.0.113.0/24"]},
]

bad := [
	{"environments": ["test"]},
	{"addresses": ["198.51.100.0/24"]},
	{"addresses": ["2001:db8::/32"]},
	{"addresses": []},
	{"claims": {"sub": "u-2"}},
	{"claims": {"amr": "hwk"}},
	{"claims": {"none": "x"}},
	{"own": {"user": {"claim": "jti"}}},
	{"own": {"user": {"claim": ["org", "name"]}}},
	{"own": {"org": {"claim": "sub"}}},
	{"own": {"user": {"label": "tenant"}}},
	{"own": {"user": {"claim": "sub"}, "org": {"label": "tenant"}}},
]

slips := [
	{"addresses": "203.0.113.0/24"},
	{"addresses": ["203.0.113.0"]},
	{"addresses": [7]},
	{"claims": ["sub"]},
	{"own": "user"},
	{"own": {"user": "nmae"}},
	{"own": {"user": {"clam": "sub"}}},
	{"hours": {"from": "00:00", "to": "24:00"}},
]

test_permissions if {
	every condition in good {
		context.allow with input as request with data.roles as permitting(condition)
	}
	every condition in array.concat(bad, slips) {
		not context.allow with input as request with data.roles as permitting(condition)
	}
}

test_rules_that_deny if {
	every condition in array.concat(good, slips) {
		not context.allow with input as request with data.roles as permitting({})
			with data.deny as [{"when": condition}]
	}
	every condition in bad {
		context.allow with input as request with data.roles as permitting({})
			with data.deny as [{"when": condition}]
	}
}

test_a_range_that_can_not_be_read_spares_nobody if {
	not context.allow with input as request with data.roles as permitting({})
		with data.deny as [{"when": {"addresses": ["198.51.100.0/24", "x"]}}]
}

# Rules that deny other than by the conditions of authz must not be skipped by it.
test_authz_takes_what_it_does_not_know_for_a_slip if {
	every condition in [{"addresses": ["198.51.100.0/24"]}, {"claims": {"sub": "u-2"}}, {"own": {"user": {"claim": "jti"}}}] {
		not authz.allow with input as request with data.roles as permitting({}) with data.deny as [{"when": condition}]
		not authz.allow with input as request with data.roles as permitting(condition)
	}
}

test_scopes_and_public if {
	context.allow with input as request with data.scopes as {"s": [everything]}
	context.allow with input as request with data.public as [everything]
	not context.allow with input as request with data.scopes as {"t": [everything]}
}

test_without_an_address if {
	not context.allow with input as json.remove(request, ["/attributes/source"])
		with data.roles as permitting({"addresses": ["0.0.0.0/0"]})
	not context.allow with input as json.remove(request, ["/attributes/source"])
		with data.roles as permitting({})
		with data.deny as [{"when": {"addresses": ["198.51.100.0/24"]}}]
}

test_tenants if {
	by_claim := {"under": ["/orders"], "member": {"claim": "sub"}}
	by_label := {"under": ["/orders"], "member": {"label": "tenant"}}
	context.allow with input as request with data.roles as permitting({}) with data.tenants as by_claim
	not context.allow with input as object.union(request, {"parsed_path": ["orders", "u-2"]})
		with data.roles as permitting({})
		with data.tenants as by_claim
	not context.allow with input as request with data.roles as permitting({}) with data.tenants as by_label
	context.allow with input as request with data.roles as permitting({})
		with data.tenants as object.union(by_label, {"crossing": ["clerk"]})
	context.allow with input as object.union(request, {"parsed_path": ["orders", "acme"]})
		with data.roles as permitting({})
		with data.tenants as by_label
	not context.allow with input as request with data.roles as permitting({}) with data.tenants as {}
}

asked(role, method, path, scope) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": split(path, "/"),
	"consumer": {"name": "mobile", "environment": "prod", "labels": {}, "attributes": {}},
	"identity": {"roles": [role], "scopes": [scope], "groups": []},
}

# What rules.rego gathers is what authz.rego asks.
test_agrees_with_authz if {
	scopes := {"s": [{"methods": ["PUT"], "paths": ["/admin"], "when": {"environments": ["prod"]}}]}
	denying := [{"paths": ["/orders/7"], "when": {"environments": ["prod"]}}, {"paths": ["/x"], "when": {"environments": ["test"]}}]
	answers := {answer |
		some each in requests
		answer := authz.allow with input as each with data.scopes as scopes with data.deny as denying
	}
	answers == {true, false}
	every each in requests {
		[authz.allow, authz.allow] == [context.allow, timed.allow] with input as each
			with data.scopes as scopes
			with data.deny as denying
	}
}

requests := {asked(role, method, path, scope) |
	some role in ["reader", "writer", "admin", "stranger"]
	some method in ["GET", "PUT"]
	some path in ["", "orders", "orders/7", "admin", "healthz", "x"]
	some scope in ["s", "t"]
}
