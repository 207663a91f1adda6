package postern.permissions_test

import rego.v1

import data.postern.permissions

request(method, path) := {
	"attributes": {"request": {"http": {"method": method}}},
	"parsed_path": split(trim_left(path, "/"), "/"),
}

fitting := [
	["/**", "/"],
	["/**", "/a/b"],
	["/", "/"],
	["/orders", "/orders"],
	["/orders", "/orders/"],
	["/orders/*", "/orders/7"],
	["/orders/*", "/orders/7/"],
	["/orders/*/lines", "/orders/7/lines"],
	["/orders/**", "/orders"],
	["/orders/**", "/orders/"],
	["/orders/**", "/orders/7/lines"],
	["/orders/*.json", "/orders/7.json"],
]

strange := [
	["/", "/a"],
	["/orders", "/orders/7"],
	["/orders", "/Orders"],
	["/orders/*", "/orders"],
	["/orders/*", "/orders/7/lines"],
	["/orders/**", "/orders2"],
	["orders", "/orders"],
	["/**/x", "/x"],
]

test_paths_that_fit if {
	every pair in fitting {
		permissions.fits(pair[0]) with input as request("GET", pair[1])
	}
}

test_paths_that_do_not_fit if {
	every pair in strange {
		not permissions.fits(pair[0]) with input as request("GET", pair[1])
	}
}

test_grants if {
	permission := {"methods": ["GET"], "paths": ["/a", "/b/**"], "except": ["/b/secret/**"]}
	permissions.grants(permission) with input as request("GET", "/a")
	permissions.grants(permission) with input as request("GET", "/b/c")
	not permissions.grants(permission) with input as request("PUT", "/a")
	not permissions.grants(permission) with input as request("GET", "/c")
	not permissions.grants(permission) with input as request("GET", "/b/secret")
	not permissions.grants(permission) with input as request("GET", "/b/secret/x")
	not permissions.grants(object.union(permission, {"else": 1})) with input as request("GET", "/a")
}

test_forbids if {
	permissions.forbids({}) with input as request("GET", "/a")
	permissions.forbids({"methods": ["GET"], "paths": ["/a"]}) with input as request("GET", "/a")
	not permissions.forbids({"methods": ["PUT"]}) with input as request("GET", "/a")
	not permissions.forbids({"except": ["/a"]}) with input as request("GET", "/a")
	not permissions.forbids({"paths": ["/b"]}) with input as request("GET", "/a")
}
