package postern.authz_test

import rego.v1

import data.postern.authz

request(method, path, roles) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"consumer": {"name": "mobile", "environment": "prod", "labels": {}, "attributes": {}},
	"credential": {"kind": "api_key"},
	"identity": {"anonymous": false, "roles": roles, "groups": [], "scopes": [], "issuer": ""},
	"route": {"name": "", "params": {}},
}

with_scopes(request, scopes) := object.union(request, {"identity": {"scopes": scopes}})

anonymous(request) := object.union(request, {
	"consumer": null, "credential": null,
	"identity": {"anonymous": true, "roles": [], "groups": [], "scopes": [], "issuer": ""},
})

# The data that comes with the library.

test_nothing_is_allowed_by_default if {
	not authz.allow with input as request("GET", "/orders/7", [])
	not authz.allow with input as request("GET", "/orders/7", ["stranger"])
	not authz.allow with input as anonymous(request("GET", "/orders/7", []))
	not authz.allow with input as {}
}

test_reader if {
	authz.allow with input as request("GET", "/orders/7", ["reader"])
	authz.allow with input as request("HEAD", "/", ["reader"])
	not authz.allow with input as request("PUT", "/orders/7", ["reader"])
	not authz.allow with input as request("get", "/orders/7", ["reader"])
	not authz.allow with input as request("GET", "/admin", ["reader"])
	not authz.allow with input as request("GET", "/admin/", ["reader"])
	not authz.allow with input as request("GET", "/admin/users/7", ["reader"])
	authz.allow with input as request("GET", "/administrators", ["reader"])
}

test_writer_inherits_from_reader if {
	authz.allow with input as request("GET", "/orders/7", ["writer"])
	authz.allow with input as request("DELETE", "/orders/7", ["writer"])
	not authz.allow with input as request("PATCH", "/admin/users", ["writer"])
	not authz.allow with input as request("TRACE", "/orders/7", ["writer"])
}

test_admin if {
	authz.allow with input as request("DELETE", "/admin/users/7", ["admin"])
	authz.allow with input as request("GET", "/", ["reader", "admin"])
}

test_public if {
	authz.allow with input as anonymous(request("GET", "/healthz", []))
	authz.allow with input as anonymous(request("HEAD", "/healthz/", []))
	not authz.allow with input as anonymous(request("POST", "/healthz", []))
	not authz.allow with input as anonymous(request("GET", "/healthz/more", []))
}

# Data of an author's own.

orders := [{"methods": ["PUT"], "paths": ["/orders/*"], "when": {"environments": ["prod"]}}]

test_scope if {
	write := request("PUT", "/orders/7", [])
	authz.allow with input as with_scopes(write, ["orders:write"]) with data.scopes as {"orders:write": orders}
	not authz.allow with input as with_scopes(write, ["orders:read"]) with data.scopes as {"orders:write": orders}
	not authz.allow with input as with_scopes(request("PUT", "/orders/7/lines", []), ["orders:write"])
		with data.scopes as {"orders:write": orders}
}

test_deny_wins if {
	rules := [{"paths": ["/reports/**"], "when": {"environments": ["prod"]}}]
	not authz.allow with input as request("GET", "/reports", ["admin"]) with data.deny as rules
	authz.allow with input as request("GET", "/orders", ["admin"]) with data.deny as rules
	elsewhere := [{"paths": ["/reports/**"], "when": {"environments": ["test"]}}]
	authz.allow with input as request("GET", "/reports", ["admin"]) with data.deny as elsewhere
}

test_a_slip_in_a_rule_that_denies_denies_more if {
	every rule in [{}, {"path": ["/x"]}, {"when": {"environment": ["test"]}}, {"method": ["PUT"]}, {"methods": "PUT"}, {"paths": "/x"}, {"except": "/orders"}, {"when": null}, {"when": ["test"]}, {"when": {"environments": "test"}}, {"when": {"labels": ["x"]}}, {"when": {"own": "account"}}] {
		not authz.allow with input as request("GET", "/orders", ["admin"]) with data.deny as [rule]
	}
}

test_a_slip_in_a_permission_permits_nothing if {
	every permission in [
		{},
		{"methods": ["*"]},
		{"paths": ["/**"]},
		{"methods": ["*"], "path": ["/**"]},
		{"methods": ["*"], "paths": ["/**"], "excepts": ["/admin/**"]},
		{"methods": ["*"], "paths": ["/**"], "except": "/admin/**"},
		{"methods": ["*"], "paths": ["/**"], "except": null},
		{"methods": "*", "paths": ["/**"]},
		{"methods": ["*"], "paths": "/**"},
		{"methods": ["*"], "paths": ["/**"], "when": null},
		{"methods": ["*"], "paths": ["/**"], "when": "prod"},
		{"methods": ["*"], "paths": ["/**"], "when": ["prod"]},
		{"methods": ["*"], "paths": ["/**"], "when": {"environments": "prod"}},
		{"methods": ["*"], "paths": ["/**"], "when": {"labels": ["x"]}},
		{"methods": ["*"], "paths": ["/**"], "when": {"own": "account"}},
		{"methods": ["*"], "paths": ["/**"], "when": {"environment": ["prod"]}},
	] {
		not authz.allow with input as request("GET", "/orders", ["x"]) with data.roles as {"x": {"permissions": [permission]}}
	}
}
