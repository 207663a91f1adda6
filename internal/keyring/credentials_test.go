package keyring_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

// everyKind are credentials of every kind, with the secret of each a canary.
func everyKind(t testing.TB) []rules.Credential {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(canary + "-by-digest"))
	secret := access.NewSecret(canary)
	return []rules.Credential{
		{ID: "made", Kind: access.KindAPIKey, Scopes: []string{"orders:read"}, Label: "made here"},
		{ID: "foreign", Kind: access.KindAPIKey, Key: secret},
		{ID: "digest", Kind: access.KindAPIKey, KeySHA256: hex.EncodeToString(digest[:])},
		{ID: "hmac", Kind: access.KindJWT, Key: access.NewSecret("app"), Algorithm: "HS256", Secret: secret},
		{ID: "ed", Kind: access.KindJWT, Key: access.NewSecret("app-ed"), Algorithm: "EdDSA", PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
		{ID: "issuer", Kind: access.KindIssuer, Issuer: "shop", Value: "app"},
		{ID: "basic", Kind: access.KindBasic, Username: "app", Password: secret},
		{ID: "hash", Kind: access.KindBasic, Username: "app2", PasswordHash: password.Dummy()},
		{ID: "sig", Kind: access.KindSignature, KeyID: "app", Secret: secret},
		{ID: "uri", Kind: access.KindClientCertificate, URISAN: "spiffe://example.com/app", Constraints: &rules.Constraints{Methods: []string{"GET"}}},
		{ID: "dns", Kind: access.KindClientCertificate, DNSSAN: "App.example.com"},
		{ID: "subject", Kind: access.KindClientCertificate, Subject: "CN=app"},
		{ID: "sha", Kind: access.KindClientCertificate, SHA256: strings.Repeat("0f", 32)},
	}
}

func TestEveryKindIsFoundAndNoSecretIsTold(t *testing.T) {
	h := open(t)
	h.app(t, "a")
	for _, c := range everyKind(t) {
		issued, err := h.CreateCredential(t.Context(), ops, "a", c)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		if (c.ID == "made") == issued.Key.Empty() {
			t.Errorf("%s: shows a key: %v", c.ID, !issued.Key.Empty())
		}
		ref := issued.Reference
		if c.ID == "made" {
			ref = rules.KeyReference(issued.Key)
		}
		found, err := h.ledger.Find(t.Context(), ref)
		if err != nil || found.Credential.ID != c.ID || found.Judge(nil, start) != nil {
			t.Errorf("%s: %+v, %v", c.ID, found, err)
		}
	}
	found, err := h.ledger.Find(t.Context(), consumer.Reference{Kind: access.KindBasic, Value: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := password.Verify(found.Password, []byte(canary)); !ok || err != nil {
		t.Errorf("the password does not verify: %v", err)
	}
	list, err := h.Credentials(t.Context(), consumer.CredentialQuery{Consumer: "a", Page: consumer.Page{Limit: 100}})
	if err != nil || len(list) != len(everyKind(t)) {
		t.Errorf("%d listed, %v", len(list), err)
	}
	for _, told := range append(dump(audit(t, h)), dump(list)...) {
		if strings.Contains(told, canary) {
			t.Errorf("a secret is told: %s", told)
		}
	}
}

func dump[T any](list []*T) []string {
	var texts []string
	for _, item := range list {
		texts = append(texts, fmt.Sprintf("%+v", *item))
	}
	return texts
}

func TestAKeyOfOurOwn(t *testing.T) {
	h := open(t, func(o *keyring.Options) { o.Prefix = "acme" })
	h.app(t, "a")
	issued := h.key(t, "a", rules.Credential{})
	text := string(issued.Key.Reveal())
	if !consumer.LooksLikeKey(text) || !strings.HasPrefix(text, "acme_prod_"+issued.ID) || len(issued.ID) != 12 ||
		issued.Prefix != "acme_prod_"+issued.ID || issued.LastFour != text[len(text)-4:] {
		t.Errorf("id %s, prefix %s, last four %s", issued.ID, issued.Prefix, issued.LastFour)
	}
	c, err := h.Credential(t.Context(), issued.ID)
	if err != nil || c.Reference.Value != "" || c.Status(start) != consumer.StatusActive {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestCredentialRefused(t *testing.T) {
	h := open(t, func(o *keyring.Options) { o.Issuers = func() []string { return nil } })
	h.app(t, "a")
	h.key(t, "a", rules.Credential{Key: access.NewSecret(canary)})
	secret := access.NewSecret(canary)
	for name, c := range map[string]struct {
		credential rules.Credential
		want       error
		field      string
	}{
		"weak secret":      {rules.Credential{Kind: access.KindJWT, Key: access.NewSecret("x"), Algorithm: "HS512", Secret: secret}, keyring.ErrWeak, "secret"},
		"weak signing":     {rules.Credential{Kind: access.KindSignature, KeyID: "x", Secret: access.NewSecret("short")}, keyring.ErrWeak, "secret"},
		"weak and more":    {rules.Credential{Kind: access.KindSignature, KeyID: "x", Secret: access.NewSecret("short"), Scopes: []string{" "}}, nil, "scopes[0]"},
		"unknown kind":     {rules.Credential{Kind: "apikey"}, nil, "type"},
		"no kind":          {rules.Credential{}, nil, "type"},
		"mixed kinds":      {rules.Credential{Kind: access.KindAPIKey, Username: "u"}, nil, "username"},
		"short key":        {rules.Credential{Kind: access.KindAPIKey, Key: access.NewSecret("short")}, nil, "key"},
		"a reference":      {rules.Credential{Kind: access.KindAPIKey, Key: access.NewSecret("env:SOME_NAME_OF_A_KEY")}, nil, "key"},
		"the past":         {rules.Credential{Kind: access.KindAPIKey, ExpiresAt: start}, nil, "expires_at"},
		"unknown issuer":   {rules.Credential{Kind: access.KindIssuer, Issuer: "shop", Value: "x"}, nil, "issuer"},
		"id":               {rules.Credential{Kind: access.KindAPIKey, ID: "a/b"}, nil, "id"},
		"empty constraint": {rules.Credential{Kind: access.KindAPIKey, Constraints: &rules.Constraints{}}, nil, "constraints"},
		"address":          {rules.Credential{Kind: access.KindAPIKey, Constraints: &rules.Constraints{Addresses: []string{"10.0.0.1/8"}}}, nil, "constraints.addresses[0]"},
		"the same key":     {rules.Credential{Kind: access.KindAPIKey, Key: secret}, consumer.ErrExists, ""},
	} {
		_, err := h.CreateCredential(t.Context(), ops, "a", c.credential)
		var invalid *keyring.Invalid
		if errors.As(err, &invalid); c.field != "" && (invalid == nil || invalid.Problems[0].Field != c.field) {
			t.Errorf("%s: %v, want a problem of %s", name, err, c.field)
		}
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && errors.Is(err, keyring.ErrWeak) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: a secret is told: %v", name, err)
		}
	}
	if _, err := h.CreateCredential(t.Context(), ops, "nobody", rules.Credential{Kind: access.KindAPIKey}); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("a consumer that there is not: %v", err)
	}
}

func TestMaximumAndEnvironments(t *testing.T) {
	h := open(t, func(o *keyring.Options) {
		o.MaxCredentials = 2
		o.Environments = []string{"prod"}
	})
	h.app(t, "a")
	first := h.key(t, "a", rules.Credential{})
	h.key(t, "a", rules.Credential{ExpiresAt: start.Add(time.Hour)})
	another := func() error {
		_, err := h.CreateCredential(t.Context(), ops, "a", rules.Credential{Kind: access.KindAPIKey})
		return err
	}
	if err := another(); !errors.Is(err, keyring.ErrTooMany) {
		t.Errorf("a third: %v", err)
	}
	if _, err := h.Rotate(t.Context(), ops, first.ID, keyring.Rotation{}); err != nil {
		t.Errorf("a rotation is always possible: %v", err)
	}
	h.clock.pass(time.Hour)
	if err := another(); err != nil {
		t.Errorf("once one has expired: %v", err)
	}
	if _, _, err := h.CreateConsumer(t.Context(), ops, rules.Consumer{Name: "dev", Environment: "dev"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateCredential(t.Context(), ops, "dev", rules.Credential{Kind: access.KindAPIKey}); !errors.Is(err, keyring.ErrState) {
		t.Errorf("another environment: %v", err)
	}
}

func TestUpdateCredential(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	issued := h.key(t, "a", rules.Credential{ExpiresAt: start.Add(time.Hour)})
	later := start.Add(48 * time.Hour)
	c, _, err := h.UpdateCredential(ctx, ops, issued.ID, 1, func(s *keyring.Settings) error {
		s.Scopes, s.ExpiresAt, s.Label = []string{"a"}, later, "new"
		s.Constraints = &rules.Constraints{Addresses: []string{"192.0.2.1"}}
		return nil
	})
	if err != nil || c.Version != 2 || !c.ExpiresAt.Equal(later) || c.Label != "new" || c.Constraints.Addresses[0].String() != "192.0.2.1/32" {
		t.Fatalf("%+v, %v", c, err)
	}
	if !h.counts(t, issued.Key) {
		t.Error("the key does not count any more")
	}
	if _, _, err := h.UpdateCredential(ctx, ops, issued.ID, 1, func(*keyring.Settings) error { return nil }); !errors.Is(err, consumer.ErrVersion) {
		t.Errorf("a lost update: %v", err)
	}
	if _, _, err := h.DisableCredential(ctx, ops, issued.ID, 0); err != nil || h.counts(t, issued.Key) {
		t.Errorf("disabled: %v", err)
	}
	if _, _, err := h.EnableCredential(ctx, ops, issued.ID, 0); err != nil || !h.counts(t, issued.Key) {
		t.Errorf("enabled: %v", err)
	}
	if _, err := h.DeleteCredential(ctx, ops, issued.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Credential(ctx, issued.ID); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}
