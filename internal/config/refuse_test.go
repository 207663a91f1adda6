package config_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRefused has one fault, or a few, a file. The file's own path is cut from
// what is told.
func TestRefused(t *testing.T) {
	route := func(fields string) string { return "routes:\n- {name: a, " + fields + "}" }
	issuer := func(fields string) string {
		return "authentication: {jwt: {issuers: [\n{" + fields + "}]}}"
	}
	const issuer0 = ":2: authentication.jwt.issuers[0]"
	tests := []struct{ name, yaml, want string }{
		{"unknown key", "listn: {}", `:1: unknown key "listn"; did you mean "listen"?`},
		{"half a file", "", ": is empty; expected a mapping"},

		{"limits", "limits: {plans: {}}", ":1: limits: is not supported by this version"},
		{"usage", "usage: {store: true}", ":1: usage: is not supported by this version"},
		{"data", "policy: {data: [{file: '['}, {file: a, at: a//b}, {at: b}]}", ":1: policy.data[2]: lacks the key \"file\"\n:1: policy.data[0].file: expected a path or a pattern such as data/*.json\n:1: policy.data[1].at: expected names joined by /, such as bindings or directory/users"},
		{"bundle from nowhere", "policy: {bundles: [{name: a}]}", ":1: policy.bundles[0]: expected one of url and file"},
		{"bundle from two places", "policy: {bundles: [{name: a, url: 'https://b/', file: c}]}", ":1: policy.bundles[0]: expected one of url and file"},
		{"bundle over plain HTTP", "policy: {bundles: [{name: a, url: 'http://b.example/'}]}", ":1: policy.bundles[0].url: fetches a policy over plain HTTP, where anybody in between can put in their own; expected https, or dangerously_fetch_over_plain_http: true beside it"},
		{"two bundles of a name", "policy: {bundles: [{name: a, file: b}, {name: a, file: c}]}", ":1: policy.bundles[1].name: stands already on line 1"},
		{"bundle's token in the open", "policy: {bundles: [{name: a, file: b, token: canary}]}", ":1: policy.bundles[0].token: expected env:NAME or file:PATH, where the secret is"},
		{"bundle's bounds", "policy: {bundles: [{name: a, file: b, every: 1ms, max_size: 0}]}", ":1: policy.bundles[0].every: expected 100ms to 24h0m0s\n:1: policy.bundles[0].max_size: expected up to 4GiB"},
		{"verification", "policy: {bundles: [{name: a, file: b, verification: {key: canary, algorithm: none}}]}", ":1: policy.bundles[0].verification.key: expected env:NAME or file:PATH, where the secret is\n:1: policy.bundles[0].verification.algorithm: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, HS256, HS384 or HS512"},
		{"shadow of nothing", "policy: {shadow: {sample: 2}}", ":1: policy.shadow: lacks the key \"directory\"\n:1: policy.shadow.sample: expected a number from 0 to 1"},
		{"journal", "policy: {journal: {directory: a, max_file_size: 1KiB, max_files: 0, input: half, hash: [a..b]}}", ":1: policy.journal.input: expected whole or read\n:1: policy.journal.max_file_size: expected 64KiB to 4GiB\n:1: policy.journal.max_files: expected 1 to 10000\n:1: policy.journal.hash[0]: expected names joined by dots, such as consumer.name"},
		{"journal of no field", "policy:\n  journal:\n    directory: a\n    hash: [nope, consumer.name, consumer.labels.any]\n    omit:\n    - attributes.request.http.headers.x-a\n    - consumer.nmae", ":4: policy.journal.hash[0]: policy's input has no field nope\n:7: policy.journal.omit[1]: policy's input has no field consumer.nmae"},
		{"journal in the policy", "policy: {directory: p, journal: {directory: p/journal}}", ":1: policy.journal.directory: stands in policy.directory, from which policy is read; expected a folder beside it"},
		{"state in the policy", "policy:\n  directory: p\n  state_directory: ./p/../p", ":3: policy.state_directory: stands in policy.directory, from which policy is read; expected a folder beside it"},
		{"state and journal in the shadow", "policy:\n  state_directory: s/a/b\n  shadow: {directory: s}\n  journal: {directory: s}", ":2: policy.state_directory: stands in policy.shadow.directory, from which policy is read; expected a folder beside it\n:4: policy.journal.directory: stands in policy.shadow.directory, from which policy is read; expected a folder beside it"},

		{"port alone", "listen: {grpc: {address: ':9191'}}", ":1: listen.grpc.address: expected ADDRESS:PORT, such as 127.0.0.1:9191 or 0.0.0.0:9191, or unix:PATH"},
		{"name of a machine", "listen: {http: {address: 'example.com:80'}}", ":1: listen.http.address: expected ADDRESS:PORT, such as 127.0.0.1:9191 or 0.0.0.0:9191, or unix:PATH"},
		{"number as address", "listen: {http: {address: 9192}}", ":1: listen.http.address: expected a string, found a number; put it in quotes"},
		{"empty socket", "listen: {grpc: {address: 'unix:'}}", ":1: listen.grpc.address: expected unix: and a path of at most 107 bytes"},
		{"long socket", "listen: {grpc: {address: unix:/" + strings.Repeat("x", 107) + "}}", ":1: listen.grpc.address: expected unix: and a path of at most 107 bytes"},
		{"one address twice", "listen:\n  grpc: {address: 127.0.0.1:1}\n  admin: {address: 127.0.0.1:1}", ":3: listen.admin.address: is the address of listen.grpc too"},
		{"an address and a default", "listen: {admin: {address: 127.0.0.1:9192}}", ":1: listen.admin.address: is the address of listen.http too"},
		{"trusts everybody", "listen: {http: {trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]}}", ":1: listen.http.trusted_proxies[1]: trusts everybody: any client could forge what a gateway says; if that is meant, write dangerously_trust_any_proxy: true beside it"},
		{"trusts everybody of IPv6", "listen: {grpc: {trusted_proxies: ['::/0']}}", ":1: listen.grpc.trusted_proxies[0]: trusts everybody: any client could forge what a gateway says; if that is meant, write dangerously_trust_any_proxy: true beside it"},
		{"trusts half of everybody", "listen: {grpc: {trusted_proxies: [128.0.0.0/1]}}", ":1: listen.grpc.trusted_proxies[0]: trusts everybody: any client could forge what a gateway says; if that is meant, write dangerously_trust_any_proxy: true beside it"},
		{"the danger spelt at the other door", "listen: {grpc: {dangerously_trust_any_proxy: true}, http: {trusted_proxies: [0.0.0.0/0]}}", ":1: listen.http.trusted_proxies[0]: trusts everybody: any client could forge what a gateway says; if that is meant, write dangerously_trust_any_proxy: true beside it"},
		{"fault response", "listen: {grpc: {fault_response: allow}}", ":1: listen.grpc.fault_response: expected deny or error"},
		{"tls without key", "listen: {grpc: {tls: {cert_file: c}}}", ":1: listen.grpc.tls: lacks the key \"key_file\""},
		{"tls with an empty authority", "listen: {grpc: {tls: {cert_file: c, key_file: k, client_ca_file: ''}}}", ":1: listen.grpc.tls.client_ca_file: expected a path"},
		{"drain", "listen: {drain: {timeout: 2h}}", ":1: listen.drain.timeout: expected 0s to 1h0m0s"},

		{"bad pattern", "consumers: {files: ['[']}", ":1: consumers.files[0]: expected a path or a pattern such as consumers/*.yaml"},
		{"no environment", "consumers: {environments: []}", ":1: consumers.environments: is empty; expected at least one, or no key"},
		{"environment", "consumers: {environments: [Prod]}", ":1: consumers.environments[0]: expected lower-case letters, digits and -, at most 32"},

		{"store without dsn", "consumers: {store: {driver: sqlite}}", ":1: consumers.store: lacks the key \"dsn\""},
		{"store's driver", "consumers: {store: {driver: mysql, dsn: a}}", ":1: consumers.store.driver: expected sqlite or postgres"},
		{"no file", "consumers: {store: {driver: sqlite, dsn: ''}}", ":1: consumers.store.dsn: expected a path"},
		{"unset dsn", "consumers: {store: {driver: sqlite, dsn: env:CANARY}}", ":1: consumers.store.dsn: the environment variable that it refers to is not set"},
		{"dsn in the open", "consumers: {store: {driver: postgres, dsn: 'postgres://u:canary@h/d'}}", ":1: consumers.store.dsn: expected env:NAME or file:PATH, where the secret is"},
		{"dsn of something else", "consumers: {store: {driver: postgres, dsn: env:BAD}}", ":1: consumers.store.dsn: what it refers to is no connection of PostgreSQL; expected postgres://HOST/DATABASE, or KEY=VALUE words"},
		{"unset dsn of PostgreSQL", "consumers: {store: {driver: postgres, dsn: env:CANARY}}", ":1: consumers.store.dsn: the environment variable that it refers to is not set"},
		{"pepper in the open", "consumers: {store: {driver: sqlite, dsn: a, pepper: canary-0123456789012345678901234567}}", ":1: consumers.store.pepper: expected env:NAME or file:PATH, where the secret is"},
		{"empty pepper", "consumers: {store: {driver: sqlite, dsn: a, pepper: ''}}", ":1: consumers.store.pepper: expected env:NAME or file:PATH, where the secret is"},
		{"short pepper", "consumers: {store: {driver: sqlite, dsn: a, pepper: env:TOKEN}}", ":1: consumers.store.pepper: what it refers to is shorter than 32 bytes; make one with: openssl rand -base64 48"},
		{"short and unset peppers", "consumers: {store: {driver: sqlite, dsn: a, pepper: [env:BAD, env:CANARY]}}", ":1: consumers.store.pepper[0]: what it refers to is shorter than 32 bytes; make one with: openssl rand -base64 48\n:1: consumers.store.pepper[1]: the environment variable that it refers to is not set"},
		{"one pepper twice", "consumers: {store: {driver: sqlite, dsn: a, pepper: [env:PEPPER, env:PEPPER]}}", ":1: consumers.store.pepper[1]: is the same secret as one before it"},
		{"no peppers", "consumers: {store: {driver: sqlite, dsn: a, pepper: []}}", ":1: consumers.store.pepper: is empty; expected at least one, or no key"},
		{"many peppers", "consumers: {store: {driver: sqlite, dsn: a, pepper: [" + strings.Repeat("env:PEPPER,", 17) + "]}}", ":1: consumers.store.pepper: has 17 peppers; expected at most 16"},
		{"peppers by name", "consumers: {store: {driver: sqlite, dsn: a, pepper: {new: env:PEPPER}}}", ":1: consumers.store.pepper: expected env:NAME or file:PATH, or a list of them"},
		{"staleness of no store", "consumers: {max_staleness: 1m}", ":1: consumers.max_staleness: says nothing without consumers.store"},
		{"a route's staleness of no store", route("match: {paths: [/]}, max_staleness: 1m"), ":2: routes[0].max_staleness: says nothing without consumers.store"},
		{"keys of no store", "consumers: {keys: {prefix: a}}", ":1: consumers.keys: says nothing without consumers.store"},
		{"short staleness", "consumers: {store: {driver: sqlite, dsn: a}, max_staleness: 1s}", ":1: consumers.max_staleness: expected 2s to 24h0m0s, or 0s for no limit"},
		{"long staleness", "consumers: {store: {driver: sqlite, dsn: a}}\ndefault: {max_staleness: 25h}", ":2: default.max_staleness: expected 2s to 24h0m0s, or 0s for no limit"},
		{"key's prefix", "consumers: {store: {driver: sqlite, dsn: a}, keys: {prefix: my_key}}", ":1: consumers.keys.prefix: expected a lower-case letter, then lower-case letters and digits, at most 16"},
		{"key's grace", "consumers: {store: {driver: sqlite, dsn: a}, keys: {grace: 0s}}", ":1: consumers.keys.grace: expected 1s to 8784h0m0s"},
		{"key's grace in weeks", "consumers: {store: {driver: sqlite, dsn: a}, keys: {grace: 4w}}", ":1: consumers.keys.grace: expected a duration with its unit, such as 12h or 30d"},
		{"credentials", "consumers: {store: {driver: sqlite, dsn: a}, keys: {max_credentials: 10001}}", ":1: consumers.keys.max_credentials: expected 1 to 10000"},
		{"a route's empty environments", route("match: {paths: [/]}, environments: []"), ":2: routes[0].environments: is empty; expected at least one, or no key"},
		{"a route's environment", route("match: {paths: [/]}, environments: [Prod]"), ":2: routes[0].environments[0]: expected lower-case letters, digits and -, at most 32"},
		{"a route's environment that is believed nowhere", "consumers: {environments: [prod]}\n" + route("match: {paths: [/]}, environments: [prod, dev]"), ":3: routes[0].environments[1]: is not in consumers.environments"},
		{"the default's environment that is believed nowhere", "consumers: {environments: [prod]}\ndefault: {environments: [dev]}", ":2: default.environments[0]: is not in consumers.environments"},

		{"admin for everybody", "listen: {admin: {address: 0.0.0.0:9193}}", ":1: listen.admin.address: is within reach of other machines, so the API there needs listen.admin.tokens; or expected an address on loopback, or unix:PATH"},
		{"admin for everybody with no tokens", "listen: {admin: {address: '[::]:9193', tokens: []}}", ":1: listen.admin.address: is within reach of other machines, so the API there needs listen.admin.tokens; or expected an address on loopback, or unix:PATH"},
		{"half a token", "listen: {admin: {tokens: [{name: a}]}}", ":1: listen.admin.tokens[0]: lacks the key \"role\"\n:1: listen.admin.tokens[0]: lacks the key \"token\""},
		{"token in the open", "listen: {admin: {tokens: [{name: a, role: admin, token: canary-0123456789}]}}", ":1: listen.admin.tokens[0].token: expected env:NAME or file:PATH, where the secret is"},
		{"unset token", "listen: {admin: {tokens: [{name: a, role: admin, token: env:CANARY}]}}", ":1: listen.admin.tokens[0].token: the environment variable that it refers to is not set"},
		{"short token", "listen: {admin: {tokens: [{name: a, role: admin, token: env:SHORT}]}}", ":1: listen.admin.tokens[0].token: what it refers to is no token; expected 16 to 512 visible ASCII characters, such as from: openssl rand -base64 33"},
		{"token with a space", "listen: {admin: {tokens: [{name: a, role: admin, token: env:SPACED}]}}", ":1: listen.admin.tokens[0].token: what it refers to is no token; expected 16 to 512 visible ASCII characters, such as from: openssl rand -base64 33"},
		{"token's role", "listen: {admin: {tokens: [{name: a, role: root, token: env:TOKEN}]}}", ":1: listen.admin.tokens[0].role: expected viewer or editor or admin"},
		{"token's name", "listen: {admin: {tokens: [{name: 'a b', role: admin, token: env:TOKEN}]}}", ":1: listen.admin.tokens[0].name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"tokens of one name", "listen: {admin: {tokens: [{name: a, role: admin, token: env:TOKEN},\n{name: a, role: admin, token: env:TOKEN_2}]}}", ":2: listen.admin.tokens[1].name: stands already on line 1"},
		{"one token twice", "listen: {admin: {tokens: [{name: a, role: admin, token: env:TOKEN},\n{name: b, role: viewer, token: env:TOKEN}]}}", ":2: listen.admin.tokens[1].token: is the same secret as one before it"},
		{"admin host with port", "listen: {admin: {hosts: ['postern.example.com:9193']}}", ":1: listen.admin.hosts[0]: expected it without port and in lower case: postern.example.com"},
		{"any admin host", "listen: {admin: {hosts: ['*.example.com']}}", ":1: listen.admin.hosts[0]: expected a whole name"},
		{"no admin hosts", "listen: {admin: {hosts: []}}", ":1: listen.admin.hosts: is empty; expected at least one, or no key"},

		{"kind twice", "authentication: {order: [jwt, jwt]}", ":1: authentication.order[1]: the kind jwt stands here twice"},
		{"unknown kind", "authentication: {order: [apikey]}", ":1: authentication.order[0]: expected api_key or signature or jwt or basic or client_certificate or introspection"},
		{"nowhere", "authentication: {api_key: {in: []}}", ":1: authentication.api_key.in: expected at least one place; to believe no credential of this kind, leave it out of authentication.order"},
		{"header and query", "authentication: {api_key: {in: [{header: a, query: b}]}}", ":1: authentication.api_key.in[0]: expected a header or a query parameter"},
		{"empty place", "authentication: {api_key: {in: [{}]}}", ":1: authentication.api_key.in[0]: expected a header or a query parameter"},
		{"place twice", "authentication: {api_key: {in: [{header: X-Key}, {header: x-key}]}}", ":1: authentication.api_key.in[1]: stands here twice"},
		{"header with space", "authentication: {api_key: {in: [{header: 'X Key'}]}}", ":1: authentication.api_key.in[0]: expected a header's name"},
		{"Authorization bare", "authentication: {api_key: {in: [{header: authorization}]}}", ":1: authentication.api_key.in[0]: expected a scheme with Authorization, such as ApiKey"},
		{"scheme elsewhere", "authentication: {api_key: {in: [{header: X-Key, scheme: ApiKey}]}}", ":1: authentication.api_key.in[0]: a scheme belongs to the header Authorization"},
		{"cookie", "authentication: {api_key: {in: [{header: Cookie}]}}", ":1: authentication.api_key.in[0]: the header Cookie has a meaning of its own and can't hold a credential"},
		{"alias of a forwarded header", "authentication: {api_key: {in: [{header: X_Forwarded_For}]}}", ":1: authentication.api_key.in[0]: the header X_Forwarded_For has a meaning of its own and can't hold a credential"},
		{"managed header", "authentication: {api_key: {in: [{header: X-Consumer-Username}]}}", ":1: authentication.api_key.in[0]: the header x-consumer-username tells the upstream of the consumer; what a client sends in it is never read"},
		{"query with ampersand", "authentication: {api_key: {in: [{query: 'a&b'}]}}", ":1: authentication.api_key.in[0]: expected a query parameter's name of letters, digits, '.', '_', '~' and '-', and no scheme"},
		{"token in the query", "authentication: {jwt: {in: [{header: X-T, query: t}]}}", `:1: authentication.jwt.in[0]: unknown key "query"; known here: header, scheme`},
		{"both kinds in one place", "authentication: {api_key: {in: [{header: X-T}]}, jwt: {in: [{header: x-t}]}}", ":1: authentication.jwt.in[0]: is a place of API keys too; only the scheme Bearer can be both"},
		{"leeway", "authentication: {jwt: {leeway: 61s}}", ":1: authentication.jwt.leeway: expected 0s to 1m0s"},
		{"no lifetime", "authentication: {jwt: {max_lifetime: 0s}}", ":1: authentication.jwt.max_lifetime: expected 1s to 876000h0m0s"},

		{"issuer without all", issuer(""), issuer0 + `: lacks the key "audiences"` + "\n" + issuer0 + `: lacks the key "issuer"` + "\n" + issuer0 + `: lacks the key "name"`},
		{"issuer's name", issuer(`name: "a b", issuer: "https://a", audiences: [x]`), issuer0 + ".name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"issuer that can't be discovered", issuer("name: a, issuer: shop, audiences: [x]"), issuer0 + ".issuer: expected an https or http URL, without user and fragment"},
		{"issuer with a password", issuer(`name: a, issuer: "https://u:canary@h", audiences: [x]`), issuer0 + ".issuer: expected an https or http URL, without user and fragment"},
		{"keys over plain HTTP", issuer(`name: a, issuer: "http://keycloak/realms/a", audiences: [x]`), issuer0 + ".issuer: fetches keys over plain HTTP, where anybody in between can put in their own; expected https, or dangerously_fetch_over_plain_http: true beside it"},
		{"two sources", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, jwks_url: "https://a"`), issuer0 + ".jwks_url: expected one of jwks_file and jwks_url"},
		{"symmetric", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, algorithms: [HS256, none, ES256K]`), issuer0 + ".algorithms[0]: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA\n" + issuer0 + ".algorithms[1]: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA\n" + issuer0 + ".algorithms[2]: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"},
		{"no algorithm", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, algorithms: []`), issuer0 + ".algorithms: is empty; expected at least one, or no key"},
		{"no audience", issuer(`name: a, issuer: a, audiences: [], jwks_file: f`), issuer0 + ".audiences: is empty; expected at least one, or no key"},
		{"unknown consumer", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, unknown_consumer: allow`), issuer0 + ".unknown_consumer: expected deny or ephemeral"},
		{"empty claim", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, consumer_claim: ""`), issuer0 + ".consumer_claim: expected a claim's name"},
		{"max_stale", issuer(`name: a, issuer: a, audiences: [x], jwks_file: f, max_stale: 0s`), issuer0 + ".max_stale: expected 1s to 8760h0m0s"},
		{"issuers of one name and one iss", issuer("name: a, issuer: i, audiences: [x], jwks_file: f},\n{name: a, issuer: i, audiences: [x], jwks_file: g"), ":3: authentication.jwt.issuers[1].name: stands already on line 2\n:3: authentication.jwt.issuers[1].issuer: stands already on line 2"},

		{"route without name", "routes: [{match: {paths: [/]}}]", `:1: routes[0]: lacks the key "name"`},
		{"route's name", "routes: [{name: 'a b', match: {paths: [/]}}]", ":1: routes[0].name: expected ASCII letters, digits, '.', '_' and '-', at most 128"},
		{"route names twice", "routes:\n- {name: a, match: {paths: [/a]}}\n- {name: a, match: {paths: [/b]}}", ":3: routes[1].name: stands already on line 2"},
		{"route without match", "routes: [{name: a}]", `:1: routes[0]: lacks the key "match"`},
		{"empty match", route("match: {}"), `:2: routes[0].match: matches every request; if that is meant, write paths: ["/{rest...}"]`},
		{"empty paths", route("match: {paths: []}"), ":2: routes[0].match.paths: is empty; expected at least one, or no key"},
		{"path without slash", route("match: {paths: [a]}"), `:2: routes[0].match.paths[0]: pattern "a" …`},
		{"rest in the middle", route(`match: {paths: ["/{r...}/a"]}`), `:2: routes[0].match.paths[0]: pattern "/{r...}/a": …`},
		{"wildcard in a segment", route(`match: {paths: ["/a{b}"]}`), `:2: routes[0].match.paths[0]: pattern "/a{b}": …`},
		{"method in lower case", route("match: {methods: [get]}"), ":2: routes[0].match.methods[0]: expected a method in upper case"},
		{"host with port", route("match: {hosts: ['a:80']}"), ":2: routes[0].match.hosts[0]: expected it without port and in lower case: a"},
		{"host in upper case", route("match: {hosts: ['*.Example.com']}"), ":2: routes[0].match.hosts[0]: expected it without port and in lower case: *.example.com"},
		{"host with a star inside", route("match: {hosts: ['a.*.com']}"), ":2: routes[0].match.hosts[0]: expected a host such as api.example.com, or *.example.com"},
		{"star alone", route("match: {hosts: ['*']}"), ":2: routes[0].match.hosts[0]: expected a host such as api.example.com, or *.example.com"},
		{"anonymous", route("match: {paths: [/]}, anonymous: yes"), ":2: routes[0].anonymous: expected allow or deny"},
		{"kind that is not in order", "authentication: {order: [jwt]}\n" + route("match: {paths: [/]}, authenticate: [api_key]"), ":3: routes[0].authenticate[0]: the kind api_key is not in authentication.order"},
		{"kind of all that is not in order", "authentication: {order: [jwt]}\n" + route("match: {paths: [/]}, authenticate: {all_of: [api_key, jwt]}"), ":3: routes[0].authenticate.all_of[0]: the kind api_key is not in authentication.order"},
		{"all of none", route("match: {paths: [/]}, anonymous: allow, authenticate: {all_of: []}"), ":2: routes[0].authenticate.all_of: is empty; expected at least one kind"},
		{"any and all", route("match: {paths: [/]}, authenticate: {any_of: [jwt]}"), ":2: routes[0].authenticate: unknown key \"any_of\"; did you mean \"all_of\"?\n:2: routes[0].authenticate: lacks the key \"all_of\""},
		{"one kind as a word", route("match: {paths: [/]}, authenticate: jwt"), ":2: routes[0].authenticate: expected a list of kinds such as [api_key, jwt], or {all_of: [api_key, jwt]}"},
		{"nobody passes", route("match: {paths: [/]}, authenticate: []"), ":2: routes[0].authenticate: believes no credential and allows no anonymous request, so that nobody passes"},
		{"empty roles", route("match: {paths: [/]}, require: {roles: []}"), ":2: routes[0].require.roles: is empty; expected at least one, or no key\n:2: routes[0].require: requires nothing; leave the key out if that is meant"},
		{"empty require", route("match: {paths: [/]}, require: {}"), ":2: routes[0].require: requires nothing; leave the key out if that is meant"},
		{"scope with space", route("match: {paths: [/]}, require: {scopes: [a b]}"), ":2: routes[0].require.scopes[0]: expected a scope of printable ASCII without space, \" and \\"},
		{"entry point", route("match: {paths: [/]}, policy: data.a.b"), ":2: routes[0].policy: expected a rule with its package, such as postern/authz/allow"},
		{"route never reached", "routes:\n- {name: all, match: {paths: ['/a/{rest...}']}}\n- {name: some, match: {methods: [GET], paths: ['/a/{id}']}}", ":3: routes[1].match: is never reached: route \"all\" on line 2 takes every request that it would match"},
		{"default with require", "default: {require: {roles: [a]}}", `:1: default: unknown key "require"; known here: anonymous, authenticate, environments, max_staleness, policy`},

		{"policy's timeout", "policy: {timeout: 0s}", ":1: policy.timeout: expected 1ms to 1m0s"},
		{"policy's folder", "policy: {directory: ''}", ":1: policy.directory: expected a path"},
		{"builtin", "policy: {allowed_builtins: ['HTTP send']}", ":1: policy.allowed_builtins[0]: expected a builtin's name, such as http.send"},
		{"builtin that is none", "policy: {allowed_builtins: [http.send, http.sent]}", ":1: policy.allowed_builtins[1]: OPA has no builtin \"http.sent\""},
		{"unknown preset", "identity: {headers: nginx}", ":1: identity.headers: expected apisix, kong or a mapping of header to field"},
		{"no headers", "identity: {headers: {}}", ":1: identity.headers: expected 1 to 1024 headers"},
		{"unknown field", "identity: {headers: {X-A: consumer.id}}", ":1: identity.headers.X-A: expected consumer.name, .display_name, .environment, .groups, .roles or .labels.NAME; credential.id or .kind; identity.scopes, .roles, .groups, .issuer, .client_id or .claims.NAME; or anonymous"},
		{"bad header", "identity: {headers: {'X A': consumer.name}}", ":1: identity.headers: expected a header's name"},
		{"host as identity", "identity: {headers: {Host: consumer.name}}", ":1: identity.headers.Host: has a meaning of its own and can't be managed"},
		{"decision id as identity", "identity: {headers: {x-decision-id: consumer.name}}", ":1: identity.headers.x-decision-id: has a meaning of its own and can't be managed"},
		{"two spellings", "identity: {headers: {X-User: consumer.name, X_User: consumer.roles}}", ":1: identity.headers.X_User: is the header X-User in another spelling"},
		{"key in an own header", "identity: {headers: {X-API-Key: consumer.name}}", ":1: authentication.api_key.in[0]: the header x-api-key tells the upstream of the consumer; what a client sends in it is never read\n:1: authentication.signature.dialects: the header x-api-key tells the upstream of the consumer; what a client sends in it is never read"},
		{"small cache", "cache: {max_memory: 1KiB}", ":1: cache.max_memory: expected 1MiB to 64GiB, or 0 to remember nothing"},
		{"ttl", "cache: {ttl: 0s}", ":1: cache.ttl: expected 1ms to 24h0m0s"},
		{"log level", "telemetry: {log_level: trace}", ":1: telemetry.log_level: expected debug or info or warn or error"},
		{"sample", "telemetry: {decision_log: {allow_sample: 1.5}}", ":1: telemetry.decision_log.allow_sample: expected a number from 0 to 1"},
		{"endpoint", "telemetry: {otlp_endpoint: canary:4317}", ":1: telemetry.otlp_endpoint: expected an https or http URL, without user and fragment"},
		{"endpoint from an unset variable", "telemetry: {otlp_endpoint: env:CANARY}", ":1: telemetry.otlp_endpoint: the environment variable that it refers to is not set"},
		{"many kinds", "authentication: {order: [" + strings.Repeat("jwt,", 17) + "]}", ":1: authentication.order: has 17 kinds; expected at most 16"},
		{"many hosts", route("match: {hosts: [" + strings.Repeat("a,", 1025) + "]}"), ":2: routes[0].match.hosts: has 1025 items; expected at most 1024"},
		{"endpoint from a bad variable", "telemetry: {otlp_endpoint: env:BAD}", ":1: telemetry.otlp_endpoint: expected an https or http URL, without user and fragment"},
		{"endpoint from no file", "telemetry: {otlp_endpoint: file:none}", ":1: telemetry.otlp_endpoint: the file that it refers to can't be read: no such file or directory"},

		{"all at once", "listen: {grpc: {address: x}}\nroutes: [{name: a, match: {methods: [b]}}]\ncache: {ttl: x}\nlimits: {}", ":1: listen.grpc.address: expected ADDRESS:PORT, such as 127.0.0.1:9191 or 0.0.0.0:9191, or unix:PATH\n:2: routes[0].match.methods[0]: expected a method in upper case\n:3: cache.ttl: expected a duration with its unit, such as 500ms, 30s or 24h\n:4: limits: is not supported by this version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, path, err := load(t, tt.yaml)
			if c != nil || err == nil {
				t.Fatalf("got %+v, %v", c, err)
			}
			got := strings.ReplaceAll(err.Error(), path, "")
			prefix, begins := strings.CutSuffix(tt.want, "…") // the rest is another room's word
			if got != tt.want && (!begins || !strings.HasPrefix(got, prefix)) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if strings.Contains(strings.ToLower(got), "canary") {
				t.Error("a value that may be a secret is told")
			}
		})
	}
}

func TestNearlyTheSameRoutesAreReached(t *testing.T) {
	for _, routes := range []string{
		"[{name: a, match: {paths: [/a], methods: [GET]}}, {name: b, match: {paths: [/a]}}]",
		"[{name: a, match: {paths: [/a], hosts: [x.example]}}, {name: b, match: {paths: [/a], hosts: ['*.example']}}]",
		"[{name: a, match: {paths: ['/a/{id}']}}, {name: b, match: {paths: ['/a/{rest...}']}}]",
		"[{name: a, match: {paths: [/a/b]}}, {name: b, match: {paths: ['/a/{id}']}}]",
	} {
		if _, _, err := load(t, "routes: "+routes); err != nil {
			t.Errorf("%s: %v", routes, err)
		}
	}
}

func TestRelativePatternInAFolderWithPatternCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[x]")
	write(t, filepath.Join(dir, "postern.yaml"), "consumers: {files: [c.yaml]}")
	if _, err := loadPath(filepath.Join(dir, "postern.yaml")); err == nil || !strings.Contains(err.Error(), "write the whole path") {
		t.Errorf("got %v", err)
	}
}
