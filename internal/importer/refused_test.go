package importer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/importer"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// TestRefused holds broken documents to importing nothing, with every problem
// at once and the line of each.
func TestRefused(t *testing.T) {
	const crd = "apiVersion: apisix.apache.org/v2\nkind: ApisixConsumer\n"
	const deck = "_format_version: \"3.0\"\n"
	for _, tt := range []struct {
		name   string
		format importer.Format
		text   string
		want   string
	}{
		{"empty", importer.Auto, "", "d: is empty; expected a mapping"},
		{"no yaml", importer.Auto, "a: [", "d:1: not valid YAML: did not find expected node content"},
		{"tab", importer.Auto, "a:\n\tb: 1", "d:2: not valid YAML: found character that cannot start any token"},
		{"a text", importer.Deck, "consumers", "d:1: expected a mapping of keys to values"},
		{"not told apart", importer.Auto, "consumers: [{username: a, plugins: {}}]", "d:1: can't be told apart: expected the objects of Kubernetes, an apisix.yaml that ends with #END, an ADC, a decK or a Postern file; name the format if it is one of them"},
		{"cut off", importer.APISIX, "consumers: [{username: a, plugins: {}}]\n#EN", "d:1: does not end with a line #END, so it may be cut off"},
		{"alias", importer.ADC, "a: &x 1\nb: *x", "d:2: aliases are not accepted; write the value out"},
		{"merge", importer.ADC, "a: &x {y: 1}\n<<: {z: 1}", "d:2: expected a string as key; put it in quotes"},
		{"twice", importer.ADC, "consumers: []\nconsumers: []", "d:2: a key stands here twice"},
		{"second document", importer.ADC, "consumers: []\n---\nconsumers: []", "d:3: a second document begins here; expected one only"},
		{"types", importer.ADC, "consumers:\n- username: 1\n- username: a\n  plugins: []\n- username: b\n  plugins:\n    key-auth: {key: 12345678901234567890}\n    jwt-auth: {key: k, secret: [1], base64_secret: yes please}",
			"d:2: consumers[0].username: expected a string; a number or a word such as true needs quotes\n" +
				"d:2: consumers[0]: lacks the key \"username\"\n" +
				"d:4: consumers[1].plugins: expected a mapping of keys to values\n" +
				"d:7: consumers[2].plugins.key-auth.key: expected a string; a number or a word such as true needs quotes\n" +
				"d:8: consumers[2].plugins.jwt-auth.secret: expected a string; a number or a word such as true needs quotes"},
		{"flag", importer.ADC, "consumers:\n- username: a\n  plugins:\n    jwt-auth: {key: k, secret: x, base64_secret: 1}", "d:4: consumers[0].plugins.jwt-auth.base64_secret: expected true or false"},
		{"two of a name", importer.ADC, "consumers:\n- username: a\n- username: a", "d:3: consumers[1]: the consumer stands already at d:2"},
		{"one key of two", importer.ADC, "consumers:\n- {username: a, plugins: {key-auth: {key: 0123456789abcdef}}}\n- {username: b, plugins: {key-auth: {key: 0123456789abcdef}}}", "d:3: consumers[1].plugins.key-auth: the same key stands already at d:2"},
		{"username of two", importer.ADC, "consumers:\n- {username: a, plugins: {basic-auth: {username: x, password: long enough}}}\n- {username: b, plugins: {basic-auth: {username: X, password: long enough}}}", "d:3: consumers[1].plugins.basic-auth: the same username stands already at d:2"},
		{"no owner", importer.APISIX, "consumers:\n- {id: a/credentials/k, plugins: {key-auth: {key: x}}}\n#END", "d:2: consumers[0]: is a credential of a consumer that is in none of the documents"},
		{"group twice", importer.APISIX, "consumer_groups: [{id: a}, {id: a}, {}]\n#END", "d:1: consumer_groups[1]: the group stands already at d:1\nd:1: consumer_groups[2]: lacks the key \"id\""},
		{"two plugins", importer.APISIX, "consumers:\n- {username: a}\n- {id: a/credentials/k, plugins: {}}\n#END", "d:3: consumers[1]: expected one plugin, found 0"},
		{"answer", importer.APISIX, `{"list": [{"value": {"username": "a"}}]}`, "d:1: list[0]: expected an object of the Admin API, with key and value"},
		{"old decK", importer.Auto, "_format_version: \"1.1\"\nconsumers: []", "d:1: _format_version: is not 3.0; convert the file with `deck file convert --from kong-gateway-2.x --to kong-gateway-3.x`, or dump it with a decK of today"},
		{"decK as number", importer.Auto, "_format_version: 3.0", "d:1: _format_version: expected a string; a number or a word such as true needs quotes\nd:1: _format_version: is not 3.0; convert the file with `deck file convert --from kong-gateway-2.x --to kong-gateway-3.x`, or dump it with a decK of today"},
		{"no name", importer.Deck, deck + "consumers: [{tags: [a]}]", "d:2: consumers[0]: expected a consumer with username or custom_id"},
		{"stray", importer.Deck, deck + "acls: [{group: a, consumer: x}]", "d:2: acls[0]: names no consumer that is in the documents"},
		{"windows", importer.Deck, deck + "consumers:\n- username: a\n  plugins: [{name: rate-limiting-advanced, config: {limit: [1, 2], window_size: [1]}}]", "d:4: consumers[0].plugins[0].config: expected as many window_size as limit, and one at least"},
		{"ttl", importer.Deck, deck + "consumers:\n- username: a\n  keyauth_credentials: [{key: k, ttl: 1.5, created_at: 0}]", "d:4: consumers[0].keyauth_credentials[0].ttl: expected a whole number"},
		{"version", importer.Auto, "apiVersion: apisix.apache.org/v2beta3\nkind: ApisixConsumer\nmetadata: {name: a}\nspec: {}", "d:1: apiVersion: \"apisix.apache.org/v2beta3\" of ApisixConsumer is not known; expected apisix.apache.org/v2 for ApisixConsumer, apisix.apache.org/v1alpha1 for Consumer"},
		{"no name there", importer.Auto, crd + "metadata: {namespace: x}\nspec: {}", "d:1: lacks the key \"metadata.name\""},
		{"no spec", importer.Auto, crd + "metadata: {name: x}", "d:1: lacks the key \"spec\""},
		{"secret", importer.Auto, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {key: '%'}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}", "d:4: data.key: expected base64\nd:6: the Secret stands already at d:1"},
		{"no end", importer.Postern, "consumers:\n- name: a\n  credentials: [{id: k, type: api_key, key: 0123456789abcdef, expires_at: \"0001-01-01T00:00:00Z\"}]",
			"d:3: consumers[0].credentials[0].expires_at: expected a time such as 2030-01-31T00:00:00Z"},
		{"our own", importer.Postern, "consumers:\n- {name: a, plan: x y}\n- {name: A}\n- name: b\n  constraints: {paths: [x]}\n  credentials:\n  - {id: k, type: api_key, key: env:NOT_SET}\n  - {id: l, type: jwt, key: x, algorithm: HS256, secret: short}\nmore: 1",
			"d:2: consumers[0].plan: expected ASCII letters, digits, '.', '_' and '-', at most 128\n" +
				"d:3: consumers[1]: another consumer has that name in another case\n" +
				"d:5: consumers[2].constraints.paths: is not known here; known here: addresses, methods\n" +
				"d:5: consumers[2].constraints: constrains nothing; leave the key out if that is meant\n" +
				"d:7: consumers[2].credentials[0].key: the environment variable that it refers to is not set\n" +
				"d:7: consumers[2].credentials[0]: expected one of key and key_sha256\n" +
				"d:8: consumers[2].credentials[1].secret: is too short for HS256; expected at least 32 bytes\n" +
				"d:9: more: is not known here; known here: consumers"},
		{"file", importer.Postern, "consumers:\n- name: a\n  credentials:\n  - {id: k, type: jwt, key: x, algorithm: RS256, public_key_file: x.pem}", "d:4: consumers[0].credentials[0].public_key_file: refers to a file, and no files are read here\nd:4: consumers[0].credentials[0]: RS256 is verified with a public key; expected public_key, and no secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := importer.Read(tt.format, []importer.Source{{Name: "d", Data: []byte(tt.text)}}, options())
			var problems strictyaml.Errors
			if plan != nil || !errors.As(err, &problems) {
				t.Fatalf("got %v and %v", plan, err)
			}
			if err.Error() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", err, tt.want)
			}
		})
	}
}

// TestAllAtOnce tells the problems of all documents together.
func TestAllAtOnce(t *testing.T) {
	_, err := importer.Read(importer.ADC, []importer.Source{{Name: "one", Data: []byte("consumers: [{}]")}, {Name: "two", Data: []byte("[")}, {Name: "three", Data: []byte("consumers: 1")}}, options())
	for _, name := range []string{"one:1: ", "two:1: ", "three:1: "} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("no problem of %s in %v", name, err)
		}
	}
}

// TestAcrossDocuments lets a consumer's Secret, group or credential stand in
// another document.
func TestAcrossDocuments(t *testing.T) {
	sources := []importer.Source{
		{Name: "secretless", Data: []byte("apiVersion: apisix.apache.org/v2\nkind: ApisixConsumer\nmetadata: {name: a}\nspec: {authParameter: {keyAuth: {secretRef: {name: s}}}}")},
		{Name: "secret", Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: 0123456789abcdef}")},
		{Name: "kong", Data: []byte("_format_version: '3.0'\nconsumers: [{username: k}]")},
	}
	plan, err := importer.Read(importer.Auto, sources, options())
	if err != nil {
		t.Fatal(err)
	}
	if s := plan.Summary(); s.Format != importer.Auto || s.Consumers != 2 || s.Credentials != 1 || s.Refused != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestNoSuchFormat(t *testing.T) {
	if _, err := importer.Read("kong", nil, options()); err == nil || !strings.Contains(err.Error(), `"kong" is no format`) {
		t.Errorf("got %v", err)
	}
}

// TestNothingIsKnown reads a reference where nothing is known to refer to.
func TestNothingIsKnown(t *testing.T) {
	text := "consumers:\n- {username: a, plugins: {key-auth: {key: $ENV://HOME}}}\n- {username: b, plugins: {key-auth: {key: $secret://vault/1/a/b}}}\n- {username: c, plugins: {key-auth: {key: env:SOMETHING-LONG}}}"
	plan, err := importer.Read(importer.ADC, []importer.Source{{Name: "d", Data: []byte(text)}}, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Refused() != 3 || plan.Summary().Credentials != 0 {
		t.Errorf("got %+v", plan.Items)
	}
}
