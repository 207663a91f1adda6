package canon_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/canon"
)

func TestHost(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, tt := range []struct{ raw, host string }{
		{"api.example.com", "api.example.com"},
		{"API.Example.test:8443", "api.example.test"},
		{"api.example.com.", "api.example.com"},
		{"api.example.com.:80", "api.example.com"},
		{"localhost", "localhost"},
		{"a_b.c-d", "a_b.c-d"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"1and1.com", "1and1.com"},
		{"123.example", "123.example"},
		{"h:1", "h"},
		{"h:65535", "h"},
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:8080", "192.0.2.1"},
		{"[::1]", "[::1]"},
		{"[::1]:443", "[::1]"},
		{"[2001:DB8::A]:443", "[2001:db8::a]"},
		{"[2001:db8:0:0:0:0:0:1]", "[2001:db8::1]"},
		{label + "." + label + "." + label + "." + label, label + "." + label + "." + label + "." + label},
	} {
		host, err := canon.Host(tt.raw)
		if err != nil || host != tt.host {
			t.Errorf("Host(%q) = %q, %v; want %q", tt.raw, host, err, tt.host)
		}
		if again, err := canon.Host(host); err != nil || again != host {
			t.Errorf("Host(%q) = %q, %v; want it unchanged", host, again, err)
		}
	}
}

func TestHostRefuses(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, raw := range []string{
		"", ".", "..", ".a", "a..b", "a..", ":80", "a:", "a:0", "a:00080", "a:080", "a:65536", "a:99999999999999999999", "a:+80", "a:8o", "a:80:80", "a:-1",
		"a,b", "a, b", "a b", " a", "a ", "a\tb", "a\x00", "a/b", "a\\b", "a?b", "a#b", "u@h", "u:p@h", "a%2eb", "a%41", "bücher.example", "a\xff", "a!b", "*.a", "k\u212a",
		"127.1", "2130706433", "256.0.0.1", "01.2.3.4", "1.2.3.4.5", "a.1", "1.2.3.4..",
		"::1", "[::1", "::1]", "[]", "[::1]x", "[::1]:", "[::1]:0", "[::1].", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[1.2.3.4]", "[a]", "[[::1]]", "[::1]:80:80",
		label + "a.b", label + "." + label + "." + label + "." + label + ".a",
	} {
		if host, err := canon.Host(raw); err == nil || host != "" {
			t.Errorf("Host(%q) = %q, %v; want an error", raw, host, err)
		}
	}
}

func TestCanonicalHostIsNotCopied(t *testing.T) {
	for _, raw := range []string{"api.example.com", "api.example.com.:8443", "192.0.2.1:80"} {
		if got := testing.AllocsPerRun(100, func() { _, _ = canon.Host(raw) }); got != 0 {
			t.Errorf("Host(%q) costs %v allocations, want 0", raw, got)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, seed := range []string{"A.b.:80", "[::1]:443", "127.1", "a_b", "[::ffff:1.2.3.4]", "u@h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, err := canon.Host(raw)
		if err != nil {
			return
		}
		if host == "" || strings.ContainsAny(host, " ,@%/\\?#\x00") || host != strings.ToLower(host) {
			t.Errorf("Host(%q) = %q, which is not canonical", raw, host)
		}
		if again, err := canon.Host(host); err != nil || again != host {
			t.Errorf("Host(%q) = %q, and that is read as %q, %v", raw, host, again, err)
		}
	})
}
