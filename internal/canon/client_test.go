package canon_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/canon"
)

func trust(prefixes ...string) canon.Trusted {
	parsed := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return canon.NewTrusted(parsed)
}

func TestClientAddr(t *testing.T) {
	proxies := trust("10.0.0.0/8", "2001:db8::/32")
	chain := func(n int) string { return strings.TrimPrefix(strings.Repeat(",10.0.0.9", n), ",") }
	for _, tt := range []struct {
		name, peer string
		lines      []string
		want       string
	}{
		{"no header", "10.0.0.1", nil, "10.0.0.1"},
		{"untrusted peer", "192.0.2.9", []string{"198.51.100.1"}, "192.0.2.9"},
		{"one hop", "10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"right to left", "10.0.0.1", []string{"203.0.113.7, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"forged in front", "10.0.0.1", []string{"10.0.0.3, 198.51.100.1"}, "198.51.100.1"},
		{"all trusted", "10.0.0.1", []string{"10.0.0.4, 10.0.0.3"}, "10.0.0.4"},
		{"lines in order", "10.0.0.1", []string{"203.0.113.7", "198.51.100.1,10.0.0.2", "10.0.0.3"}, "198.51.100.1"},
		{"white space", "10.0.0.1", []string{" \t198.51.100.1 \t"}, "198.51.100.1"},
		{"port", "10.0.0.1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"v6", "10.0.0.1", []string{"2a00::1"}, "2a00::1"},
		{"v6 bracketed", "10.0.0.1", []string{"[2a00::1]"}, "2a00::1"},
		{"v6 with port", "10.0.0.1", []string{"[2a00::1]:4711"}, "2a00::1"},
		{"v6 trusted", "2001:db8::1", []string{"2a00::1, 2001:db8::2"}, "2a00::1"},
		{"mapped peer", "::ffff:10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"mapped hop", "10.0.0.1", []string{"198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
		{"mapped client", "10.0.0.1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"mapped and bracketed", "10.0.0.1", []string{"[::ffff:198.51.100.1]:80"}, "198.51.100.1"},
		{"peer with zone", "fe80::1%eth0", nil, "fe80::1"},

		{"junk ends the walk", "10.0.0.1", []string{"198.51.100.1, junk, 10.0.0.2"}, "10.0.0.2"},
		{"junk at once", "10.0.0.1", []string{"198.51.100.1, junk"}, "10.0.0.1"},
		{"unknown", "10.0.0.1", []string{"unknown"}, "10.0.0.1"},
		{"empty line", "10.0.0.1", []string{""}, "10.0.0.1"},
		{"empty line behind", "10.0.0.1", []string{"198.51.100.1", ""}, "10.0.0.1"},
		{"empty element", "10.0.0.1", []string{"198.51.100.1,,10.0.0.2"}, "10.0.0.2"},
		{"trailing comma", "10.0.0.1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"zone", "10.0.0.1", []string{"fe80::1%eth0"}, "10.0.0.1"},
		{"zone in brackets", "10.0.0.1", []string{"[fe80::1%eth0]:80"}, "10.0.0.1"},
		{"bad port", "10.0.0.1", []string{"198.51.100.1:99999"}, "10.0.0.1"},
		{"empty port", "10.0.0.1", []string{"198.51.100.1:"}, "10.0.0.1"},
		{"v4 in brackets", "10.0.0.1", []string{"[198.51.100.1]"}, "10.0.0.1"},
		{"open bracket", "10.0.0.1", []string{"[2a00::1"}, "10.0.0.1"},
		{"leading zero", "10.0.0.1", []string{"198.051.100.1"}, "10.0.0.1"},
		{"number", "10.0.0.1", []string{"3325256705"}, "10.0.0.1"},
		{"network", "10.0.0.1", []string{"198.51.100.0/24"}, "10.0.0.1"},
		{"name", "10.0.0.1", []string{"client.example"}, "10.0.0.1"},
		{"two by space", "10.0.0.1", []string{"198.51.100.1 198.51.100.2"}, "10.0.0.1"},

		{"32 hops", "10.0.0.1", []string{"198.51.100.1," + chain(31)}, "198.51.100.1"},
		{"33rd hop", "10.0.0.1", []string{"198.51.100.1," + chain(32)}, "10.0.0.9"},
		{"33rd hop in another line", "10.0.0.1", []string{"198.51.100.1", chain(32)}, "10.0.0.9"},
		{"a million hops", "10.0.0.1", []string{chain(1_000_000)}, "10.0.0.9"},
	} {
		if got := canon.ClientAddr(netip.MustParseAddr(tt.peer), tt.lines, proxies); got != netip.MustParseAddr(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestClientAddrOfUnixSocket(t *testing.T) {
	if got := canon.ClientAddr(netip.Addr{}, []string{"198.51.100.1"}, trust("0.0.0.0/0", "::/0")); got.IsValid() {
		t.Errorf("a peer without an address counts as %v", got)
	}
}

func TestTrusted(t *testing.T) {
	set := trust("10.1.2.3/8", "::ffff:192.0.2.0/120", "::1/128")
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "::ffff:10.0.0.1": true,
		"192.0.2.77": true, "192.0.3.1": false, "::1": true, "::2": false,
	} {
		if set.Contains(netip.MustParseAddr(addr)) != want {
			t.Errorf("Contains(%s) is not %v", addr, want)
		}
	}
	if set.Contains(netip.Addr{}) || (canon.Trusted{}).Contains(netip.MustParseAddr("127.0.0.1")) || canon.NewTrusted([]netip.Prefix{{}}).Contains(netip.Addr{}) {
		t.Error("somebody is trusted whom nobody listed")
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1", "198.51.100.1, 10.0.0.2", "10.0.0.3:80")
	f.Add("::ffff:10.0.0.1", "[2001:db8::1]:80", "")
	f.Add("fe80::1%a", ",", "junk")
	proxies := trust("10.0.0.0/8", "2001:db8::/32")
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		addr, _ := netip.ParseAddr(peer)
		got := canon.ClientAddr(addr, []string{first, second}, proxies)
		if got.Is4In6() || got.Zone() != "" || got.IsValid() != addr.IsValid() {
			t.Errorf("ClientAddr(%q, %q, %q) = %v", peer, first, second, got)
		}
		if own := addr.Unmap().WithZone(""); !proxies.Contains(addr) && got != own {
			t.Errorf("the untrusted peer %v counts as %v", own, got)
		}
		whole := canon.ClientAddr(addr, slices.Collect(strings.SplitSeq(first+","+second, ",")), proxies)
		if got != whole {
			t.Errorf("ClientAddr(%q, %q, %q) is %v by line and %v by element", peer, first, second, got, whole)
		}
	})
}
