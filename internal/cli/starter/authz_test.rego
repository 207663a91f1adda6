package postern.authz_test

import rego.v1

import data.postern.authz

request(method, path) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
	"consumer": {"name": "shop", "labels": {"account": "a-7"}},
	"identity": {"anonymous": false, "roles": ["reader"]},
	"route": {"name": "", "params": {}},
}

of_account(account) := {"route": {"params": {"account": account}}}

anonymous := {"consumer": null, "identity": {"anonymous": true, "roles": []}}

test_a_reader_reads_orders if {
	authz.allow with input as request("GET", "/orders/7")
	not authz.allow with input as request("PUT", "/orders/7")
	not authz.allow with input as request("GET", "/admin")
}

test_an_admin_goes_everywhere if {
	admin := {"identity": {"roles": ["admin"]}}
	authz.allow with input as object.union(request("DELETE", "/orders/7"), admin)
	authz.allow with input as object.union(request("GET", "/admin"), admin)
}

test_accounts_are_their_owners if {
	authz.allow with input as object.union(request("GET", "/accounts/a-7"), of_account("a-7"))
	not authz.allow with input as object.union(request("GET", "/accounts/a-8"), of_account("a-8"))
}

test_anonymous if {
	authz.allow with input as object.union(request("GET", "/healthz"), anonymous)
	not authz.allow with input as object.union(request("POST", "/healthz"), anonymous)
	not authz.allow with input as object.union(request("GET", "/orders/7"), anonymous)
}

test_nothing_by_default if not authz.allow with input as {}
