package postern.timed_test

import rego.v1

import data.postern.timed

request := {
	"attributes": {
		"request": {"http": {"method": "GET"}},
		"source": {"address": {"socketAddress": {"address": "203.0.113.7"}}},
	},
	"parsed_path": ["orders", "7"],
	"consumer": {"name": "mobile", "environment": "prod", "labels": {"tenant": "acme"}, "attributes": {}},
	"credential": {"kind": "api_key"},
	"identity": {"roles": ["clerk"], "scopes": [], "groups": [], "claims": {}, "issuer": ""},
	"route": {"params": {}},
}

permitting(condition) := {"clerk": {"permissions": [{"methods": ["*"], "paths": ["/**"], "when": condition}]}}

allowed_at(text, condition) if {
	timed.allow with time.now_ns as time.parse_rfc3339_ns(text)
		with input as request
		with data.roles as permitting(condition)
}

# 2026-11-24 is a Tuesday.
office := {"hours": {"from": "08:00", "to": "18:00", "days": ["mon", "tue", "wed", "thu", "fri"], "zone": "Europe/Berlin"}}

night := {"hours": {"from": "22:00", "to": "06:00", "days": ["tue"]}}

campaign := {"dates": {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00+01:00"}}

test_office_hours if {
	allowed_at("2026-11-24T07:00:00Z", office)
	allowed_at("2026-11-24T16:59:59Z", office)
	not allowed_at("2026-11-24T06:59:59Z", office)
	not allowed_at("2026-11-24T17:00:00Z", office)
	not allowed_at("2026-11-22T12:00:00Z", office)
	allowed_at("2026-07-21T06:00:00Z", office)
	not allowed_at("2026-07-21T16:00:00Z", office)
}

test_over_midnight if {
	allowed_at("2026-11-24T22:00:00Z", night)
	allowed_at("2026-11-25T05:59:00Z", night)
	not allowed_at("2026-11-24T05:59:00Z", night)
	not allowed_at("2026-11-25T22:00:00Z", night)
	not allowed_at("2026-11-24T12:00:00Z", night)
	not allowed_at("2026-11-25T06:00:00Z", night)
}

test_every_day if {
	allowed_at("2026-11-22T12:00:00Z", {"hours": {"from": "00:00", "to": "24:00"}})
	not allowed_at("2026-11-22T12:00:00Z", {"hours": {"from": "12:00", "to": "12:00"}})
}

test_dates if {
	allowed_at("2026-11-24T00:00:00Z", campaign)
	not allowed_at("2026-11-23T23:59:59Z", campaign)
	not allowed_at("2026-11-24T23:00:00Z", campaign)
	allowed_at("2026-11-24T00:00:00Z", {"dates": {"to": "2026-12-01T00:00:00Z"}})
	not allowed_at("2026-12-01T00:00:00Z", {"dates": {"to": "2026-12-01T00:00:00Z"}})
}

test_slips_permit_nothing if {
	every slip in slips {
		not allowed_at("2026-11-24T12:00:00Z", slip)
	}
}

slips := [
	{"hours": "08:00-18:00"},
	{"hours": {"from": "08:00"}},
	{"hours": {"from": "8:00", "to": "18:00"}},
	{"hours": {"from": 480, "to": "18:00"}},
	{"hours": {"from": "08:00", "to": "18:00", "day": ["tue"]}},
	{"hours": {"from": "08:00", "to": "18:00", "days": "tue"}},
	{"hours": {"from": "08:00", "to": "18:00", "days": ["Tuesday"]}},
	{"dates": {}},
	{"dates": ["2026-11-24T00:00:00Z"]},
	{"dates": {"from": "2026-11-24"}},
	{"dates": {"from": 7}},
	{"dates": {"after": "2026-11-24T00:00:00Z"}},
	{"hour": {"from": "00:00", "to": "24:00"}},
]

test_other_conditions if {
	allowed_at("2026-11-24T12:00:00Z", {"addresses": ["203.0.113.0/24"], "environments": ["prod"]})
	not allowed_at("2026-11-24T12:00:00Z", {"addresses": ["198.51.100.0/24"]})
}

denied_at(text, rules) if {
	not timed.allow with time.now_ns as time.parse_rfc3339_ns(text)
		with input as request
		with data.roles as permitting({})
		with data.deny as rules
}

test_rules_that_deny if {
	denied_at("2026-11-24T12:00:00Z", [{"when": office}])
	not denied_at("2026-11-24T18:00:00Z", [{"when": office}])
	not denied_at("2026-11-26T12:00:00Z", [{"when": campaign}])
	not denied_at("2026-11-24T12:00:00Z", [{"when": {"addresses": ["198.51.100.0/24"]}}])
	every slip in [{"hours": {"from": "8:00", "to": "9:00"}}, {"dates": {}}, {"hour": {}}] {
		denied_at("2026-11-24T12:00:00Z", [{"when": slip}])
	}
}

test_tenants if {
	not timed.allow with input as request with data.roles as permitting({})
		with data.tenants as {"under": ["/orders"], "member": {"label": "tenant"}}
}
