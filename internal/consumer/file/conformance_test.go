package file_test

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/file"
)

func TestStoreConforms(t *testing.T) {
	consumertest.Run(t, func(t *testing.T, records []consumertest.Record) consumer.Store {
		path := filepath.Join(t.TempDir(), "consumers.yaml")
		declared := make([]map[string]any, len(records))
		for i := range records {
			declared[i] = declare(t, &records[i])
		}
		data, err := json.Marshal(map[string]any{"consumers": declared}) // JSON is YAML
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		snapshot, err := file.Load([]string{path}, file.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return snapshot
	})
}

func declare(t *testing.T, r *consumertest.Record) map[string]any {
	c := &r.Consumer
	m := map[string]any{"name": c.Name, "enabled": c.Enabled, "display_name": c.DisplayName}
	set(m, "environment", c.Environment, c.Environment != "")
	set(m, "labels", c.Labels, len(c.Labels) > 0)
	set(m, "groups", c.Groups, len(c.Groups) > 0)
	set(m, "roles", c.Roles, len(c.Roles) > 0)
	set(m, "attributes", c.Attributes, len(c.Attributes) > 0)
	set(m, "constraints", declareConstraints(c.Constraints), c.Constraints != nil)
	credentials := make([]map[string]any, len(r.Credentials))
	for i := range r.Credentials {
		credentials[i] = declareCredential(t, &r.Credentials[i])
	}
	m["credentials"] = credentials
	return m
}

func declareCredential(t *testing.T, c *consumertest.Credential) map[string]any {
	m := map[string]any{"id": c.ID, "type": c.Kind, "enabled": c.Enabled}
	set(m, "scopes", c.Scopes, len(c.Scopes) > 0)
	set(m, "expires_at", c.ExpiresAt.Format(time.RFC3339), !c.ExpiresAt.IsZero())
	set(m, "constraints", declareConstraints(c.Constraints), c.Constraints != nil)
	switch c.Kind {
	case access.KindBasic:
		m["username"], m["password_hash"] = c.Reference.Value, string(c.Password.Reveal())
	case access.KindSignature:
		m["key_id"], m["secret"], m["algorithms"] = c.Reference.Value, string(c.Secret.Reveal()), c.Algorithms
	case access.KindClientCertificate:
		form, name, _ := strings.Cut(c.Reference.Value, ":")
		m[map[string]string{"uri": "uri_san", "dns": "dns_san", "subject": "subject", "sha256": "sha256"}[form]] = name
	case access.KindAPIKey:
		m["key_sha256"] = hex.EncodeToString([]byte(c.Reference.Value))
	case access.KindIssuer:
		m["issuer"], m["value"] = c.Reference.Issuer, c.Reference.Value
	case access.KindJWT:
		m["key"], m["algorithm"] = c.Reference.Value, c.Algorithm
		set(m, "secret", string(c.Secret.Reveal()), !c.Secret.Empty())
		if c.PublicKey != nil {
			m["public_key"] = pemOf(t, c.PublicKey)
		}
	}
	return m
}

func declareConstraints(c *access.Constraints) map[string]any {
	if c == nil {
		return nil
	}
	m := map[string]any{}
	set(m, "addresses", c.Addresses, len(c.Addresses) > 0)
	set(m, "methods", c.Methods, len(c.Methods) > 0)
	return m
}

func set(m map[string]any, key string, value any, present bool) {
	if present {
		m[key] = value
	}
}

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
