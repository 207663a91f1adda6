package importer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// maxSecretFile is the size of a key or secret file in bytes.
const maxSecretFile = 64 << 10

// readPostern reads our own format. It is believed entirely or not at all: a
// constraint that is not understood would open a door. So what elsewhere is
// noted is an error here.
func (r *reader) readPostern(doc document) {
	doc.root.only("consumers")
	if doc.root.mapping() && !doc.root.at("consumers").has() {
		doc.root.problem("lacks the key %q", "consumers")
	}
	for _, item := range doc.root.at("consumers").items() {
		r.declaredConsumer(item)
	}
}

// only refuses all keys but the known ones.
func (f field) only(known ...string) {
	for _, other := range f.others(known...) {
		other.problem("is not known here; known here: %s", strings.Join(known, ", "))
	}
}

func (r *reader) declaredConsumer(at field) {
	at.only("name", "display_name", "enabled", "environment", "labels", "groups", "roles", "attributes", "constraints", "plan", "credentials")
	name := at.at("name").text()
	if !consumer.ValidName(name) {
		at.problem("expected a name of ASCII letters, digits, '.', '_' and '-', at most 128")
		return
	}
	if _, taken := r.folded[lower(name)]; taken && r.named[name] == nil {
		at.problem("another consumer has that name in another case")
		return
	}
	d := r.consumer(at, name)
	if d == nil {
		return
	}
	d.declare(at)
	_, problems := d.Read(rules.Written{})
	at.refuseAll(problems)
	d.refused = len(problems) > 0
	for _, item := range at.at("credentials").items() {
		d.declaredCredential(item)
	}
}

func (d *draft) declare(at field) {
	d.DisplayName, d.Plan = at.at("display_name").text(), at.at("plan").text()
	d.Enabled = at.at("enabled").optional()
	if environment := at.at("environment"); environment.has() {
		d.Environment = environment.text()
	}
	for _, e := range at.at("labels").entries() {
		d.label(e.field, e.key, e.text())
	}
	d.Groups, d.Roles = at.at("groups").texts(), at.at("roles").texts()
	d.Attributes = at.at("attributes").object()
	d.Constraints = at.at("constraints").constraints()
}

// optional is nil where nothing stands.
func (f field) optional() *bool {
	if !f.has() {
		return nil
	}
	value := f.flag(true)
	return &value
}

// object is a mapping of any JSON values.
func (f field) object() map[string]any {
	if !f.mapping() {
		return nil
	}
	var object map[string]any
	if !plainValues(f.node) || f.node.Decode(&object) != nil {
		f.problem("expected texts, numbers, true and false, lists and mappings")
	}
	return object
}

func plainValues(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null"}, n.ShortTag())
	}
	for _, item := range n.Content {
		if !plainValues(item) {
			return false
		}
	}
	return true
}

func (f field) constraints() *rules.Constraints {
	if !f.has() {
		return nil
	}
	f.only("addresses", "methods")
	c := &rules.Constraints{Addresses: f.at("addresses").texts(), Methods: f.at("methods").texts()}
	if f.at("addresses").has() && c.Addresses == nil {
		c.Addresses = []string{}
	}
	if f.at("methods").has() && c.Methods == nil {
		c.Methods = []string{}
	}
	return c
}

func (f field) refuseAll(problems []rules.Problem) {
	for _, p := range problems {
		where := f
		if p.Field != "" {
			where = f.at(p.Field)
			where.line = f.lineOf(p.Field)
		}
		where.problem("%s", p.Text)
	}
}

// lineOf is the line of the nearest thing that is there on the way to a field
// such as "constraints.methods".
func (f field) lineOf(path string) int {
	key, rest, _ := strings.Cut(path, ".")
	key, _, _ = strings.Cut(key, "[")
	child := f.at(key)
	if !child.has() || rest == "" {
		return child.line
	}
	return child.lineOf(rest)
}

func (d *draft) declaredCredential(at field) {
	at.only("id", "type", "enabled", "scopes", "expires_at", "constraints", "key", "key_sha256", "algorithm", "secret",
		"public_key", "public_key_file", "issuer", "value", "username", "password", "password_hash", "key_id", "algorithms",
		"uri_san", "dns_san", "subject", "sha256")
	before := len(d.problems)
	c := d.candidate(at, access.Kind(at.at("type").text()), at.at("id").text())
	if c.ID == "" {
		at.problem("lacks the key %q", "id")
	}
	c.declare(at)
	_, problems := c.Read(rules.Written{})
	at.refuseAll(problems)
	if len(d.problems) == before {
		c.finish()
	}
}

func (c *candidate) declare(at field) {
	c.Enabled = at.at("enabled").optional()
	c.Scopes, c.ExpiresAt = at.at("scopes").texts(), at.at("expires_at").time()
	c.Constraints = at.at("constraints").constraints()
	c.Key = access.NewSecret(at.at("key").text()) // a JWT's key is a name
	if c.Kind == access.KindAPIKey {
		c.Key = at.at("key").own()
	}
	c.KeySHA256, c.Algorithm, c.Secret = at.at("key_sha256").text(), at.at("algorithm").text(), at.at("secret").own()
	c.Issuer, c.Value = at.at("issuer").text(), at.at("value").text()
	c.Username, c.Password, c.PasswordHash = at.at("username").text(), at.at("password").own(), at.at("password_hash").own()
	c.KeyID, c.Algorithms = at.at("key_id").text(), at.at("algorithms").texts()
	c.URISAN, c.DNSSAN, c.Subject, c.SHA256 = at.at("uri_san").text(), at.at("dns_san").text(), at.at("subject").text(), at.at("sha256").text()
	c.PublicKey = at.at("public_key").publicKey()
	if file := at.at("public_key_file"); file.has() {
		c.PublicKey = file.fileText(file.text())
	}
}

func (f field) time() time.Time {
	if !f.has() {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, f.text())
	if err != nil || at.IsZero() { // the first moment of all would be no end
		f.problem("expected a time such as 2030-01-31T00:00:00Z")
	}
	return at
}

// publicKey is PEM, or a JWK as text or as a mapping.
func (f field) publicKey() string {
	if !f.has() || f.node.Kind != yaml.MappingNode {
		return f.text()
	}
	data, err := json.Marshal(f.object())
	if err != nil {
		f.problem("is not a JWK")
	}
	return string(data)
}

// own reads a value that may be `env:NAME` or `file:PATH`.
func (f field) own() access.Secret {
	text := f.text()
	switch kind, name, _ := strings.Cut(text, ":"); kind {
	case "env":
		value, ok := f.r.variable(name)
		if !ok {
			f.problem("the environment variable that it refers to is not set")
		}
		return access.NewSecret(value)
	case "file":
		return access.NewSecret(strings.TrimSuffix(strings.TrimSuffix(f.fileText(name), "\n"), "\r"))
	}
	return access.NewSecret(text)
}

// fileText reads a file that lies beside the document.
func (f field) fileText(path string) string {
	if f.r.ReadFile == nil {
		f.problem("refers to a file, and no files are read here")
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.file), path)
	}
	data, err := f.r.ReadFile(path, maxSecretFile)
	if err != nil {
		f.problem("the file that it refers to %s", err)
	}
	return string(data)
}
