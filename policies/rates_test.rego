package postern.rates_test

import rego.v1

import data.postern.rates

request := {
	"attributes": {"request": {"http": {"method": "GET"}}},
	"parsed_path": ["orders"],
	"consumer": {"name": "mobile", "environment": "prod"},
	"identity": {"roles": ["reader"], "groups": ["premium"], "scopes": []},
}

minute(n) := {"requests_per_unit": n, "unit": "MINUTE"}

answer(key, limit, text) := {
	"allowed": true,
	"dynamic_metadata": {"rate": {"key": key, "limit": limit}},
	"headers": {"x-rate-key": key, "x-rate-limit": text},
}

plans := [
	{"methods": ["POST"], "limit": minute(1)},
	{"paths": ["/reports/**"], "limit": minute(2)},
	{"when": {"groups": ["premium"]}, "limit": minute(600)},
	{"limit": minute(60)},
]

test_the_first_that_fits if {
	rates.allow == answer("mobile", minute(600), "600/minute") with input as request with data.rates as plans
	rates.allow == answer("mobile", minute(60), "60/minute") with data.rates as plans
		with input as object.union(request, {"identity": {"groups": []}})
	rates.allow == answer("mobile", minute(2), "2/minute") with data.rates as plans
		with input as object.union(request, {"parsed_path": ["reports", "7"]})
}

test_anonymous if {
	rates.allow == answer("anonymous", minute(60), "60/minute") with data.rates as plans
		with data.public as [{"methods": ["GET"], "paths": ["/orders"]}]
		with input as object.union(request, {"consumer": null, "identity": {"roles": [], "groups": []}})
}

test_without_a_limit if {
	rates.allow == {"allowed": true} with input as request
	rates.allow == {"allowed": true} with input as request with data.rates as [{"methods": ["POST"], "limit": minute(1)}]
}

test_a_slip_is_passed_over if {
	every slip in [7, "x", minute("7"), minute(0.5), minute(-1), {"requests_per_unit": 1, "unit": "minute"}, {"requests_per_unit": 1}] {
		rates.allow == answer("mobile", minute(60), "60/minute") with input as request
			with data.rates as [{"limit": slip}, {"when": {"group": ["premium"]}, "limit": minute(1)}, {"limit": minute(60)}]
	}
}

test_denied if {
	rates.allow == {"allowed": false} with input as object.union(request, {"identity": {"roles": []}}) with data.rates as plans
}
