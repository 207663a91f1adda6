package rules_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// canary stands wherever a secret might be told.
const canary = "canary-0123456789-0123456789-0123456789"

func told(problems []rules.Problem) string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, fmt.Sprintf("%s: %s", p.Field, p.Text))
	}
	return strings.Join(lines, "\n")
}

// The files' tests go through every rule; these are for what only values say.
func TestCredentialByValuesAlone(t *testing.T) {
	secret := access.NewSecret(canary)
	for name, c := range map[string]struct {
		credential rules.Credential
		want       string
	}{
		"nothing":               {rules.Credential{}, "type: expected api_key, jwt, issuer, basic, signature or client_certificate"},
		"no key":                {rules.Credential{Kind: access.KindAPIKey}, ": expected one of key and key_sha256"},
		"a reference":           {rules.Credential{Kind: access.KindAPIKey, Key: access.NewSecret("$ENV://" + canary)}, "key: looks like a reference to a secret; expected the value"},
		"a secret's reference":  {rules.Credential{Kind: access.KindSignature, KeyID: "k", Secret: access.NewSecret("vault:" + canary)}, "secret: looks like a reference to a secret; expected the value"},
		"no files":              {rules.Credential{Kind: access.KindJWT, Key: access.NewSecret("k"), Algorithm: "RS256"}, ": RS256 is verified with a public key; expected public_key, and no secret"},
		"no fields of a JWT":    {rules.Credential{Kind: access.KindJWT}, ": lacks the key \"key\"\n: lacks the key \"algorithm\""},
		"an empty list":         {rules.Credential{Kind: access.KindSignature, KeyID: "k", Secret: secret, Algorithms: []string{}}, "algorithms: is empty; leave the key out for hmac-sha256"},
		"label":                 {rules.Credential{Kind: access.KindAPIKey, Key: secret, Label: "a\nb"}, "label: expected at most 256 bytes, without control characters"},
		"not UTF-8":             {rules.Credential{Kind: access.KindIssuer, Issuer: "i", Value: "a\xff"}, "value: expected 1 to 256 bytes, without control characters"},
		"a network with a host": {rules.Credential{Kind: access.KindAPIKey, Key: secret, Constraints: &rules.Constraints{Addresses: []string{"10.0.0.0/8", "x"}}}, "constraints.addresses[1]"},
		"good":                  {rules.Credential{Kind: access.KindAPIKey, Key: secret, Constraints: &rules.Constraints{Methods: []string{"GET"}}}, ""},
	} {
		_, problems := c.credential.Read(rules.Written{})
		if got := told(problems); got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) || strings.Contains(got, canary) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWeakIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		credential rules.Credential
		want       []bool
	}{
		"weak":          {rules.Credential{Kind: access.KindJWT, Key: access.NewSecret("k"), Algorithm: "HS384", Secret: access.NewSecret(canary)}, []bool{true}},
		"weak and more": {rules.Credential{Kind: access.KindJWT, Algorithm: "HS384", Secret: access.NewSecret(canary)}, []bool{false, true}},
		"strong":        {rules.Credential{Kind: access.KindJWT, Key: access.NewSecret("k"), Algorithm: "HS256", Secret: access.NewSecret(canary)}, nil},
	} {
		_, problems := c.credential.Read(rules.Written{})
		var got []bool
		for _, p := range problems {
			got = append(got, p.Weak)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %s", name, told(problems))
		}
	}
}

func TestConsumerByValuesAlone(t *testing.T) {
	c := rules.Consumer{
		Environment: "Prod", DisplayName: strings.Repeat("a", 257), Plan: "a b", Groups: []string{"a,b"},
		Labels: map[string]string{"a b": "", "ok": "\x00"}, Constraints: &rules.Constraints{Addresses: []string{}},
		Attributes: map[string]any{"a": strings.Repeat("x", 64<<10)},
	}
	_, problems := c.Read(rules.Written{})
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	if want := []string{"name", "environment", "display_name", "labels", "labels.ok", "groups[0]", "plan", "attributes", "constraints.addresses"}; !slices.Equal(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
}

func TestFoundOf(t *testing.T) {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	owner := &consumer.Record{Consumer: access.Consumer{Name: "a", Enabled: true}}
	record := &consumer.CredentialRecord{
		Credential: access.Credential{ID: "c", Kind: access.KindJWT, Enabled: true}, Algorithm: "EdDSA",
		PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}
	found, err := rules.FoundOf(owner, record)
	if err != nil || !public.(ed25519.PublicKey).Equal(found.PublicKey) || !found.Credential.Enabled || found.Consumer.Name != "a" {
		t.Errorf("%+v, %v", found, err)
	}
	record.RevokedAt = time.Unix(1, 0)
	if found, err = rules.FoundOf(owner, record); err != nil || found.Credential.Enabled || !record.Enabled {
		t.Errorf("revoked: %+v, %v", found, err)
	}
	record.Algorithm = "ES256"
	if _, err := rules.FoundOf(owner, record); err == nil {
		t.Error("a key of another family is found")
	}
}

func FuzzCredential(f *testing.F) {
	f.Add("jwt", "name", "EdDSA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
	f.Add("jwt", "name", "RS256", `{"kty":"RSA","e":"AQAB","n":"AA"}`)
	f.Add("client_certificate", "CN=a", "", "")
	f.Add("basic", "user", "", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, kind, name, algorithm, text string) {
		c := rules.Credential{
			Kind: access.Kind(kind), Key: access.NewSecret(name), Algorithm: algorithm, PublicKey: text, Issuer: name, Value: text,
			Username: name, PasswordHash: access.NewSecret(text), KeyID: name, Secret: access.NewSecret(text), Subject: name,
		}
		only := map[string][]string{
			"api_key": {"key"}, "jwt": {"key", "algorithm", "public_key"}, "issuer": {"issuer", "value"},
			"basic": {"username", "password_hash"}, "signature": {"key_id", "secret"}, "client_certificate": {"subject"},
		}[kind]
		proof, problems := c.Read(rules.Written{Has: func(field string) bool { return field == "type" || slices.Contains(only, field) }})
		switch {
		case len(problems) == 0 && proof.Reference.Value == "":
			t.Error("what is good is found by nothing")
		case len(problems) == 0 && kind == "jwt" && (proof.PublicKey == nil) == (proof.Secret.Empty()):
			t.Error("a JWT credential is verified by one thing")
		}
	})
}
