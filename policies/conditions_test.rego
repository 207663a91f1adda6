package postern.conditions_test

import rego.v1

import data.postern.conditions

request := {
	"consumer": {
		"name": "mobile", "environment": "prod",
		"labels": {"team": "mobile"}, "attributes": {"region": "kr", "tier": 3},
	},
	"credential": {"kind": "api_key"},
	"identity": {"groups": ["premium"], "scopes": ["orders:read", "orders:write"], "issuer": "shop"},
	"route": {"params": {"account": "mobile"}},
}

good := [
	{},
	{"environments": ["test", "prod"]},
	{"groups": ["standard", "premium"]},
	{"scopes": ["orders:read", "orders:write"]},
	{"kinds": ["jwt", "api_key"]},
	{"issuers": ["shop"]},
	{"labels": {"team": "mobile"}},
	{"labels": {"team": ["web", "mobile"]}},
	{"attributes": {"region": "kr", "tier": [2, 3]}},
	{"own": {"account": "name"}},
	{"environments": ["prod"], "groups": ["premium"]},
]

bad := [
	{"environments": ["test"]},
	{"environments": []},
	{"groups": ["standard"]},
	{"scopes": ["orders:read", "orders:delete"]},
	{"kinds": ["jwt"]},
	{"issuers": ["other"]},
	{"labels": {"team": "web"}},
	{"labels": {"unit": "mobile"}},
	{"attributes": {"region": ["jp", "us"]}},
	{"attributes": {"region": "kr", "tier": 4}},
	{"own": {"account": {"label": "team2"}}},
	{"environments": ["prod"], "groups": ["standard"]},
]

test_met if {
	every condition in good {
		conditions.met({"when": condition}) with input as request
		not conditions.unmet({"when": condition}) with input as request
	}
}

test_not_met if {
	every condition in bad {
		not conditions.met({"when": condition}) with input as request
		conditions.unmet({"when": condition}) with input as request
	}
}

test_without_conditions if {
	conditions.met({}) with input as request
	not conditions.unmet({}) with input as request
}

test_a_source_of_own_that_is_not_known_spares_nobody if {
	every source in ["nmae", {"claim": "sub"}, {}] {
		not conditions.met({"when": {"own": {"account": source}}}) with input as request
		not conditions.unmet({"when": {"own": {"account": source}}}) with input as request
	}
}

test_an_unknown_condition_neither_holds_nor_spares if {
	not conditions.met({"when": {"enviroments": ["prod"]}}) with input as request
	not conditions.unmet({"when": {"enviroments": ["test"]}}) with input as request
}
