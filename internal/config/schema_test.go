package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func loadPath(path string) (*config.Config, error) { return config.Load(path, env) }

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("postern.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("postern.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON gives YAML the form that schemas are about.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAcceptsTheExample(t *testing.T) {
	example, err := os.ReadFile("../../deploy/example/postern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled(t).Validate(asJSON(t, example)); err != nil {
		t.Error(err)
	}
}

// TestSchemaAndLoadAgree where keys, types and words are concerned.
func TestSchemaAndLoadAgree(t *testing.T) {
	schema := compiled(t)
	for text, good := range map[string]bool{
		"{}": true,
		"listen: {grpc: {address: 'unix:/x', fault_response: error, tls: {cert_file: a, key_file: b}}, drain: {timeout: 1m30s}}": true,
		"listen: {http: {dangerously_trust_any_proxy: true, trusted_proxies: ['0.0.0.0/0']}}":                                    true,
		"cache: {max_memory: 0, ttl: 1.5h}":                                                 true,
		"cache: {max_memory: 2GiB}":                                                         true,
		"identity: {headers: kong}":                                                         true,
		"identity: {headers: {X-A: consumer.name}}":                                         true,
		"routes: [{name: a, match: {paths: [/a]}, authenticate: [jwt], policy: a/b}]":       true,
		"routes: [{name: a, match: {paths: [/a]}, authenticate: {all_of: [jwt, api_key]}}]": true,
		"authentication: {api_key: {in: [{query: key}]}, jwt: {max_lifetime: 1h}}":          true,
		"telemetry: {log_level: warn, decision_log: {allow_sample: 0.5}}":                   true,
		"surprise: 1":                             false,
		"listen: {grpc: {addresss: x}}":           false,
		"listen: {grpc: {tls: {cert_file: a}}}":   false,
		"listen: {grpc: {fault_response: allow}}": false,
		"limits: {}":                              false,
		"consumers: {store: {}}":                  false,
		"consumers: {store: {driver: sqlite, dsn: a, pepper: env:PEPPER}, max_staleness: 1m, keys: {prefix: a, grace: 30d, max_credentials: 5}}": true,
		"consumers: {store: {driver: sqlite, dsn: a, pepper: [env:PEPPER]}, keys: {grace: 12h}}":                                                 true,
		"consumers: {store: {driver: sqlite, dsn: a, pepper: []}}":                                                                               false,
		"consumers: {store: {driver: sqlite, dsn: a, pepper: 5}}":                                                                                false,
		"consumers: {store: {driver: sqlite, dsn: a}, keys: {grace: 30}}":                                                                        false,
		"consumers: {store: {driver: mysql, dsn: a}}":                                                                                            false,
		"listen: {admin: {tokens: [{name: a, role: editor, token: env:TOKEN}], hosts: [a.example]}}":                                             true,
		"listen: {admin: {tokens: [{name: a, role: root, token: env:TOKEN}]}}":                                                                   false,
		"listen: {admin: {tokens: [{name: a, role: admin}]}}":                                                                                    false,
		"routes: [{name: a, match: {paths: [/]}, environments: [prod]}]":                                                                         true,
		"authentication: {basic: {realm: api, workers: 1, queue: 4, wait: 1s}, signature: {}, client_certificate: {unknown: ignore}}":            true,
		"authentication: {order: [basic], signature: {dialects: [kong], clock_skew: 1m}}":                                                        true,
		"authentication: {forward: [basic]}":                                                                                                     true,
		"identity: {client_id_header: X-Client-ID}":                                                                                              true,
		"identity: {assertion: {ttl: 60s}}":                                                                                                      false,
		"authentication: {introspection: {name: a}}":                                                                                             false,
		"authentication: {order: [password]}":                                                                                                    false,
		"authentication: {basic: {workers: 1.5}}":                                                                                                false,
		"authentication: {basic: {workers: 0}}":                                                                                                  false,
		"authentication: {signature: {dialects: [aws]}}":                                                                                         false,
		"authentication: {client_certificate: {unknown: allow}}":                                                                                 false,
		"authentication: {jwt: {leeway: 30}}":                                                                                                    false,
		"authentication: {hide_credentials: 'yes'}":                                                                                              false,
		"cache: {max_memory: 64MB}":                                                                                                              false,
		"cache: {max_memory: -1}":                                                                                                                false,
		"identity: {headers: nginx}":                                                                                                             false,
		"identity: {headers: {}}":                                                                                                                false,
		"routes: {}":                                                                                                                             false,
		"routes: [{name: a}]":                                                                                                                    false,
		"routes: [{match: {paths: [/]}}]":                                                                                                        false,
		"routes: [{name: a, match: {path: [/]}}]":                                                                                                false,
		"routes: [{name: a, match: {paths: [/]}, anonymous: maybe}]":                                                                             false,
		"routes: [{name: a, match: {paths: [/]}, policy: a.b}]":                                                                                  false,
		"routes: [{name: a, match: {paths: [/]}, authenticate: {}}]":                                                                             false,
		"telemetry: {log_level: loud}":                                                                                                           false,
	} {
		if err := schema.Validate(asJSON(t, []byte(text))); (err == nil) != good {
			t.Errorf("schema, %s: %v", text, err)
		}
		if _, _, err := load(t, text); (err == nil) != good {
			t.Errorf("Load, %s: %v", text, err)
		}
	}
}
