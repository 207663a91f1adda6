package serve

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer/file"
)

// TestGuardsTheHeadersOfEveryKind: a client must not have the gateway drop a
// credential's header on its way (Connection: X-Nonce), be that kind believed
// at the moment or not.
func TestGuardsTheHeadersOfEveryKind(t *testing.T) {
	c := &config.Config{Authentication: config.Authentication{
		Order:  []access.Kind{access.KindAPIKey},
		APIKey: config.APIKey{In: []config.Location{{Header: "X-Key"}, {Query: "key"}}},
		JWT:    config.JWT{In: []config.Location{{Header: "X-Token"}}},
	}}
	kinds := (&builder{}).kinds(&built{config: c, consumers: &file.Snapshot{}})
	want := []string{
		"authorization", "client-cert", "client-cert-chain", "x-api-key", "x-forwarded-client-cert",
		"x-key", "x-nonce", "x-signature", "x-timestamp", "x-token",
	}
	if got := credentialHeaders(kinds); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRevisionTellsItsPartsApart in 128 bits: proofs are remembered under it.
func TestRevisionTellsItsPartsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"c", "ab"}} {
		revision := revisionOf(parts...)
		if len(revision) != 32 || seen[revision] {
			t.Errorf("%q: %s, seen before: %v", parts, revision, seen[revision])
		}
		seen[revision] = true
	}
}

// TestUnknownKindIsRefused: a kind without a line in the table must not be left
// out of what is proven.
func TestUnknownKindIsRefused(t *testing.T) {
	c := &config.Config{Authentication: config.Authentication{Order: []access.Kind{"palm_reading"}}}
	n := &built{config: c, consumers: &file.Snapshot{}}
	b := &builder{}
	if list, err := b.authenticators(n, b.kinds(n)); err == nil {
		t.Errorf("opened %d authenticators without a word", len(list))
	}
}

// TestSkewsGoNoHigherThanAtTheStart, and whatever a reload makes of them,
// signatures are remembered for the start's, which another may go back to.
func TestSkewsGoNoHigherThanAtTheStart(t *testing.T) {
	b := &builder{skew: 5 * time.Minute}
	for asked, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, time.Minute: time.Minute, 10 * time.Minute: 5 * time.Minute} {
		c := &config.Config{}
		c.Authentication.Signature.ClockSkew = asked
		got := b.signatures(c)
		if got.ClockSkew != want || got.RaisableTo != b.skew {
			t.Errorf("asked for %s: %s, remembered for %s", asked, got.ClockSkew, got.RaisableTo)
		}
	}
}
