# METADATA
# title: The decision, with a hint of its rate
# description: |
#   As authz, and an allow tells the gateway how often this consumer may ask:
#   the first of data.rates that speaks of the request. Nothing is counted here.
# schemas:
#   - input: schema.input
package postern.rates

import rego.v1

import data.postern.authz
import data.postern.conditions
import data.postern.permissions

# METADATA
# entrypoint: true
default allow := {"allowed": false}

allow := object.union({"allowed": true}, hint) if authz.allow

# What the gateway is told: in metadata for filters that read it (Envoy's rate
# limit filter takes `limit` as it is), in headers for all others.
default hint := {}

hint := {
	"dynamic_metadata": {"rate": {"key": key, "limit": limit}},
	"headers": {
		"x-rate-key": key,
		"x-rate-limit": sprintf("%d/%s", [limit.requests_per_unit, lower(limit.unit)]),
	},
}

limit := fitting[0]

# Every limit of data.rates that speaks of the request, in their order.
fitting := [rate.limit |
	some rate in data.rates
	permissions.forbids(rate)
	conditions.met(rate)
	is_limit(rate.limit)
]

is_limit(limit) if {
	is_object(limit)
	object.keys(limit) == {"requests_per_unit", "unit"}
	is_number(limit.requests_per_unit)
	limit.requests_per_unit == floor(limit.requests_per_unit)
	limit.requests_per_unit >= 0
	limit.unit in {"SECOND", "MINUTE", "HOUR", "DAY"}
}

# All credentials of a consumer share a rate.
default key := "anonymous"

key := input.consumer.name
