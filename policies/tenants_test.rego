package postern.tenants_test

import rego.v1

import data.postern.authz
import data.postern.tenants

tenancy := {"under": ["/tenants", "/v1/accounts/"], "member": {"label": "tenant"}, "crossing": ["support"]}

everything := {"clerk": {"permissions": [{"methods": ["*"], "paths": ["/**"]}]}}

request(path, label, roles) := {
	"attributes": {"request": {"http": {"method": "GET"}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"consumer": {"name": "mobile", "labels": {"tenant": label}},
	"identity": {"roles": roles, "scopes": []},
}

test_own_tenant if {
	every path in ["/tenants/acme", "/tenants/acme/orders/7", "/v1/accounts/acme", "/v1/accounts/acme/"] {
		not tenants.foreign with input as request(path, "acme", ["clerk"]) with data.tenants as tenancy
		authz.allow with input as request(path, "acme", ["clerk"]) with data.tenants as tenancy with data.roles as everything
	}
}

test_foreign_tenant if {
	every path in ["/tenants/Acme", "/tenants/other/orders/7", "/tenants/acme2", "/v1/accounts/other"] {
		tenants.foreign with input as request(path, "acme", ["clerk"]) with data.tenants as tenancy
		not authz.allow with input as request(path, "acme", ["clerk"]) with data.tenants as tenancy with data.roles as everything
	}
}

test_paths_of_no_tenant if {
	every path in ["/", "/tenants", "/tenants/", "/orders/7", "/v1/tenants/other", "/v1/accounts"] {
		not tenants.foreign with input as request(path, "acme", []) with data.tenants as tenancy
	}
}

test_first_segment if {
	rooted := {"under": ["/"], "member": "name"}
	not tenants.foreign with input as request("/mobile/x", "", []) with data.tenants as rooted
	tenants.foreign with input as request("/other/x", "", []) with data.tenants as rooted
	not tenants.foreign with input as request("/", "", []) with data.tenants as rooted
}

test_who_has_no_tenant_is_foreign_everywhere if {
	anonymous := object.union(request("/tenants/acme", "", []), {"consumer": null})
	tenants.foreign with input as anonymous with data.tenants as tenancy
	tenants.foreign with input as request("/tenants/acme", "", []) with data.tenants as tenancy
	tenants.foreign with input as request("/tenants/acme", "acme", []) with data.tenants as {"under": ["/tenants"]}
}

test_crossing if {
	not tenants.foreign with input as request("/tenants/other", "acme", ["support"])
		with data.tenants as tenancy
		with data.roles as {"support": {}}
	tenants.foreign with input as request("/tenants/other", "acme", ["support"])
		with data.tenants as {"under": ["/tenants"]}
		with data.roles as {"support": {}}
}

test_what_can_not_be_read_keeps_everyone_out if {
	every broken in [null, {}, [], "x", {"under": "/tenants", "member": {"label": "tenant"}}, {"under": [7]}, {"member": {"label": "tenant"}}] {
		tenants.foreign with input as request("/orders", "acme", ["clerk"]) with data.tenants as broken
	}
}

test_without_tenants if not tenants.foreign with input as request("/tenants/other", "acme", [])
