package access_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/access"
)

const canary = "canary-7f3a"

// TestSecretIsNeverPrinted tries every way that a value gets into a text.
func TestSecretIsNeverPrinted(t *testing.T) {
	secret := access.NewSecret(canary)
	holder := struct {
		Secret  access.Secret
		Pointer *access.Secret
		List    []access.Secret
	}{secret, &secret, []access.Secret{secret}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "holder", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret, "holder", holder)
	texts := []string{log.String(), fmt.Errorf("wrapped: %v", secret).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c"} {
		texts = append(texts, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, &secret), fmt.Sprintf(verb, holder))
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(holder)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	for _, text := range texts {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || strings.Contains(text, fmt.Sprintf("%X", canary)) {
			t.Errorf("the secret is in %q", text)
		}
	}
}

func TestSecretCompares(t *testing.T) {
	secret := access.NewSecret(canary)
	if !secret.Equal([]byte(canary)) || secret.Equal([]byte(canary+"x")) || secret.Equal(nil) {
		t.Error("Equal is wrong")
	}
	if secret.Empty() || !(access.Secret{}).Empty() || string(secret.Reveal()) != canary {
		t.Error("Empty or Reveal is wrong")
	}
}

func TestHeadersGet(t *testing.T) {
	h := access.Headers{{Name: "a", Value: "1"}, {Name: "b", Value: ""}, {Name: "a", Value: "2"}}
	for name, want := range map[string]struct {
		value string
		lines int
	}{"a": {"1", 2}, "b": {"", 1}, "c": {"", 0}} {
		if value, lines := h.Get(name); value != want.value || lines != want.lines {
			t.Errorf("%s: %q in %d lines, want %v", name, value, lines, want)
		}
	}
}

func TestConstraints(t *testing.T) {
	c := &access.Constraints{
		Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Methods:   []string{"GET"},
	}
	for _, test := range []struct {
		method, client string
		holds          bool
	}{
		{"GET", "203.0.113.9", true}, {"GET", "2001:db8::1", true}, {"GET", "203.0.114.1", false},
		{"HEAD", "203.0.113.9", false}, {"get", "203.0.113.9", false},
	} {
		if got := c.Violation(test.method, netip.MustParseAddr(test.client)) == ""; got != test.holds {
			t.Errorf("%s from %s: holds %v", test.method, test.client, got)
		}
	}
	if c.Violation("GET", netip.Addr{}) == "" {
		t.Error("a request without an address satisfies an address constraint")
	}
	var none *access.Constraints
	if none.Violation("GET", netip.Addr{}) != "" {
		t.Error("no constraints do not hold")
	}
}

func TestExpiryIsTheFirstMomentOutside(t *testing.T) {
	end := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &access.Credential{ExpiresAt: end}
	if c.Expired(end.Add(-time.Nanosecond)) || !c.Expired(end) {
		t.Error("expiry is not exact")
	}
	if (&access.Credential{}).Expired(end) {
		t.Error("a credential without expiry ends")
	}
}

// TestEveryCodeIsWhole: a code without a status or message of its own would be
// told to clients as a fault.
func TestEveryCodeIsWhole(t *testing.T) {
	for _, code := range access.Codes() {
		fault := code == access.CodeFault
		if (code.Status() == 503) != fault || (code.Message() == access.CodeFault.Message()) != fault {
			t.Errorf("%s has no status or message of its own", code)
		}
	}
}

func TestFoldName(t *testing.T) {
	for name, want := range map[string]string{
		"x-consumer-username": "x-consumer-username",
		"X_Consumer_Username": "x-consumer-username",
		"x.consumer_USERNAME": "x-consumer-username",
		"":                    "",
		"__.":                 "---",
		"x-\u212a":            "x-\u212a",
	} {
		if got := access.FoldName(name); got != want {
			t.Errorf("FoldName(%q) = %q, want %q", name, got, want)
		}
	}
	if got := testing.AllocsPerRun(100, func() { access.FoldName("x-consumer-username") }); got != 0 {
		t.Errorf("a folded name costs %v allocations, want 0", got)
	}
}
