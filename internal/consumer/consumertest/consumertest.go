// Package consumertest is the conformance suite of consumer.Store: what a
// place that keeps consumers must do, whatever it is made of.
package consumertest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// Record is a consumer with its credentials, as it is put into a store.
type Record struct {
	Consumer    access.Consumer
	Credentials []Credential
}

// Credential is a credential, what finds it and what verifies it.
type Credential struct {
	access.Credential
	Reference consumer.Reference
	Algorithm string
	Secret    access.Secret
	PublicKey crypto.PublicKey
	// Password is a hash, and Algorithms are a signature credential's.
	Password   access.Secret
	Algorithms []string
}

// Run checks the stores that open makes. Each of them holds the given records
// and nothing else, and is closed by the test's clean-up.
func Run(t *testing.T, open func(*testing.T, []Record) consumer.Store) {
	records := Records()
	store := open(t, records)
	t.Run("finds every credential with all that is known of it", func(t *testing.T) { findsAll(t, store, records) })
	t.Run("finds every consumer by name, whatever its case", func(t *testing.T) { findsNames(t, store, records) })
	t.Run("finds nothing else", func(t *testing.T) { findsNothingElse(t, store, records) })
	t.Run("parts the same value under two issuers", func(t *testing.T) { partsIssuers(t, store) })
	t.Run("answers many at once", func(t *testing.T) { answersMany(t, store, records) })
	t.Run("never takes an ended context for an unknown credential", func(t *testing.T) { endedContext(t, store, records) })
	t.Run("holds nothing when nothing was put in", func(t *testing.T) { empty(t, open(t, nil), records) })
}

// APIKey is the reference of an API key.
func APIKey(key string) consumer.Reference {
	digest := sha256.Sum256([]byte(key))
	return consumer.Reference{Kind: access.KindAPIKey, Value: string(digest[:])}
}

// Records are what the suite puts into a store: each kind of credential, and
// consumers and credentials in each of their states.
func Records() []Record {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	issuer := func(name, value string) consumer.Reference {
		return consumer.Reference{Kind: access.KindIssuer, Issuer: name, Value: value}
	}
	certificate := func(name string) consumer.Reference {
		return consumer.Reference{Kind: access.KindClientCertificate, Value: name}
	}
	return []Record{{
		Consumer: access.Consumer{
			Name: "full", DisplayName: "Fülle", Environment: "prod", Enabled: true,
			Labels: map[string]string{"team": "a", "custom_id": "42"},
			Groups: []string{"premium", "beta"}, Roles: []string{"reader"},
			Attributes:  map[string]any{"region": "kr", "tags": []any{"x"}, "internal": true},
			Constraints: &access.Constraints{Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::1/128")}, Methods: []string{"GET"}},
		},
		Credentials: []Credential{
			{
				Credential: access.Credential{
					ID: "full-key", Kind: access.KindAPIKey, Enabled: true, Scopes: []string{"orders:read", "orders:write"},
					ExpiresAt:   time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC),
					Constraints: &access.Constraints{Methods: []string{"GET", "POST"}},
				},
				Reference: APIKey("full-key-0123456789abcdef"),
			},
			{
				Credential: access.Credential{ID: "full-hmac", Kind: access.KindJWT, Enabled: true},
				Reference:  consumer.Reference{Kind: access.KindJWT, Value: "full-app"},
				Algorithm:  "HS256", Secret: access.NewSecret("a secret of thirty-two bytes, ok"),
			},
			{
				Credential: access.Credential{ID: "full-ed", Kind: access.KindJWT, Enabled: true},
				Reference:  consumer.Reference{Kind: access.KindJWT, Value: "https://full.example/ed"},
				Algorithm:  "EdDSA", PublicKey: public,
			},
			{Credential: access.Credential{ID: "full-shop", Kind: access.KindIssuer, Enabled: true}, Reference: issuer("shop", "app")},
			{
				Credential: access.Credential{ID: "full-basic", Kind: access.KindBasic, Enabled: true, Scopes: []string{"orders:read"}},
				Reference:  consumer.Reference{Kind: access.KindBasic, Value: "full@example.com"},
				Password:   password.Dummy(),
			},
			{
				Credential: access.Credential{ID: "full-sig", Kind: access.KindSignature, Enabled: true},
				Reference:  consumer.Reference{Kind: access.KindSignature, Value: "full-app"},
				Secret:     access.NewSecret("a signing secret of 32 bytes, ok"), Algorithms: []string{"hmac-sha512", "hmac-sha256"},
			},
			{Credential: access.Credential{ID: "full-uri", Kind: access.KindClientCertificate, Enabled: true}, Reference: certificate("uri:spiffe://full.example/app")},
			{Credential: access.Credential{ID: "full-dns", Kind: access.KindClientCertificate, Enabled: true}, Reference: certificate("dns:full.example")},
			{Credential: access.Credential{ID: "full-subject", Kind: access.KindClientCertificate, Enabled: true}, Reference: certificate("subject:CN=app,O=Full")},
			{Credential: access.Credential{ID: "full-sha256", Kind: access.KindClientCertificate, Enabled: true}, Reference: certificate("sha256:" + strings.Repeat("0f", 32))},
		},
	}, {
		Consumer: access.Consumer{Name: "other", Enabled: true},
		Credentials: []Credential{
			{Credential: access.Credential{ID: "other-mall", Kind: access.KindIssuer, Enabled: true}, Reference: issuer("mall", "app")},
			{Credential: access.Credential{ID: "other-off", Kind: access.KindAPIKey}, Reference: APIKey("other-off-0123456789abcdef")},
			{
				Credential: access.Credential{ID: "other-old", Kind: access.KindAPIKey, Enabled: true, ExpiresAt: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)},
				Reference:  APIKey("other-old-0123456789abcdef"),
			},
		},
	}, {
		Consumer: access.Consumer{Name: "retired", Environment: "staging"},
		Credentials: []Credential{
			{Credential: access.Credential{ID: "retired-key", Kind: access.KindAPIKey, Enabled: true}, Reference: APIKey("retired-key-0123456789abcdef")},
		},
	}, {
		Consumer: access.Consumer{Name: "without-credentials", Enabled: true},
	}}
}

func each(records []Record, do func(*access.Consumer, *Credential)) {
	for i := range records {
		for j := range records[i].Credentials {
			do(&records[i].Consumer, &records[i].Credentials[j])
		}
	}
}

func findsAll(t *testing.T, store consumer.Store, records []Record) {
	each(records, func(owner *access.Consumer, c *Credential) {
		got, err := store.Find(t.Context(), c.Reference)
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			return
		}
		want := &consumer.Found{Consumer: owner, Credential: &c.Credential, Algorithm: c.Algorithm, Secret: c.Secret, PublicKey: c.PublicKey, Password: c.Password, Algorithms: c.Algorithms}
		if diff := cmp.Diff(want, got, comparers()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.ID, diff)
		}
	})
}

// comparers compare secrets without showing them, and lists without regard to
// nil or empty.
func comparers() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b access.Secret) bool { return a.Equal(b.Reveal()) }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b map[string]string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b map[string]any) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b []netip.Prefix) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	}
}

// findsNothingElse asks for what is near to each record and is not it.
func findsNothingElse(t *testing.T, store consumer.Store, records []Record) {
	unknown(t, store, consumer.Reference{})
	unknown(t, store, APIKey("an-unknown-key-0123456789"))
	each(records, func(_ *access.Consumer, c *Credential) {
		for _, change := range []func(*consumer.Reference){
			func(r *consumer.Reference) { r.Value = "" },
			func(r *consumer.Reference) { r.Value += " " },
			func(r *consumer.Reference) { r.Value = r.Value[:len(r.Value)-1] },
			func(r *consumer.Reference) { r.Value = swapCase(r.Value) },
			func(r *consumer.Reference) { r.Value += "\x00" },
			func(r *consumer.Reference) { r.Value = "%" },
			func(r *consumer.Reference) { r.Value = "' OR '1'='1" },
			func(r *consumer.Reference) { r.Issuer += "x" },
			func(r *consumer.Reference) { r.Kind = "" },
			func(r *consumer.Reference) { r.Kind = another(r.Kind) },
			func(r *consumer.Reference) { r.Kind = access.Kind(strings.ToUpper(string(r.Kind))) },
		} {
			ref := c.Reference
			change(&ref)
			unknown(t, store, ref)
		}
	})
}

// another kind, of which no record has the same value.
func another(kind access.Kind) access.Kind {
	if kind == access.KindBasic {
		return access.KindIntrospection
	}
	return access.KindBasic
}

func findsNames(t *testing.T, store consumer.Store, records []Record) {
	for i := range records {
		want := &records[i].Consumer
		for _, name := range []string{want.Name, strings.ToUpper(want.Name)} {
			got, err := store.Find(t.Context(), consumer.NameReference(name))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if diff := cmp.Diff(&consumer.Found{Consumer: want}, got, comparers()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	unknown(t, store, consumer.NameReference("nobody"))
	unknown(t, store, consumer.NameReference(""))
}

func swapCase(s string) string {
	swapped := []byte(s)
	for i, b := range swapped {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' {
			swapped[i] = b ^ 0x20
			return string(swapped)
		}
	}
	return s + "x"
}

func unknown(t *testing.T, store consumer.Store, ref consumer.Reference) {
	t.Helper()
	got, err := store.Find(t.Context(), ref)
	if got != nil || !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("%s %q of issuer %q: got %v, %v; want ErrNotFound", ref.Kind, ref.Value, ref.Issuer, got, err)
	}
}

func partsIssuers(t *testing.T, store consumer.Store) {
	for issuer, want := range map[string]string{"shop": "full", "mall": "other"} {
		got, err := store.Find(t.Context(), consumer.Reference{Kind: access.KindIssuer, Issuer: issuer, Value: "app"})
		if err != nil || got.Consumer.Name != want {
			t.Errorf("issuer %s: got %v, %v; want consumer %s", issuer, got, err, want)
		}
	}
}

func answersMany(t *testing.T, store consumer.Store, records []Record) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			each(records, func(owner *access.Consumer, c *Credential) {
				got, err := store.Find(t.Context(), c.Reference)
				if err != nil || got.Consumer.Name != owner.Name || got.Credential.ID != c.ID {
					t.Errorf("%s: %v", c.ID, err)
				}
			})
		})
	}
	wg.Wait()
}

func endedContext(t *testing.T, store consumer.Store, records []Record) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("the client went away"))
	each(records, func(_ *access.Consumer, c *Credential) {
		if _, err := store.Find(ctx, c.Reference); errors.Is(err, consumer.ErrNotFound) {
			t.Errorf("%s: an ended context was told as an unknown credential, which may be remembered", c.ID)
		}
	})
}

func empty(t *testing.T, store consumer.Store, records []Record) {
	each(records, func(_ *access.Consumer, c *Credential) { unknown(t, store, c.Reference) })
}
