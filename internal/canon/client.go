package canon

import (
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many addresses of X-Forwarded-For are looked at; no honest
// chain of proxies is as long.
const maxHops = 32

// Trusted is a set of networks whose peers are believed about where a request
// came from. Its zero value trusts nobody. It is immutable.
type Trusted struct{ prefixes []netip.Prefix }

// NewTrusted makes the set. IPv4-mapped networks are read as IPv4; invalid
// ones hold no address.
func NewTrusted(prefixes []netip.Prefix) Trusted {
	t := Trusted{prefixes: make([]netip.Prefix, 0, len(prefixes))}
	for _, p := range prefixes {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.IsValid() {
			t.prefixes = append(t.prefixes, p.Masked())
		}
	}
	return t
}

// Contains reports whether addr is in one of the networks. An invalid address,
// such as that of a Unix socket, is in none.
func (t Trusted) Contains(addr netip.Addr) bool {
	addr = plain(addr)
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ClientAddr finds the address that a request counts as coming from. peer is
// who is connected; forwardedFor are the lines of X-Forwarded-For in the order
// they came, looked at only when the peer is trusted.
//
// The chain is walked from the right to the first address that is not trusted.
// Junk (an empty element, a zone, a name) or a 33rd hop ends the walk at the
// last good address; a chain of trusted ones, at its leftmost. The result is
// never an IPv4-mapped address and has no zone; it is invalid only if the peer
// is.
func ClientAddr(peer netip.Addr, forwardedFor []string, trusted Trusted) netip.Addr {
	client, hops := plain(peer), 0
	for _, line := range slices.Backward(forwardedFor) {
		for more := true; more; hops++ {
			if hops == maxHops || !trusted.Contains(client) {
				return client
			}
			var element string
			line, element, more = cutLast(line)
			addr, ok := parseHop(element)
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// cutLast cuts the last element from a comma-separated list; more says that
// something is left before it.
func cutLast(list string) (before, last string, more bool) {
	comma := strings.LastIndexByte(list, ',')
	if comma < 0 {
		return "", list, false
	}
	return list[:comma], list[comma+1:], true
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]"
// or "[2001:db8::1]:80", with the white space that a list allows around it.
func parseHop(element string) (netip.Addr, bool) {
	element = strings.Trim(element, " \t")
	inside, bracketed := strings.CutPrefix(element, "[")
	if address, ok := strings.CutSuffix(inside, "]"); bracketed && ok {
		addr, err := netip.ParseAddr(address)
		return plain(addr), err == nil && addr.Is6() && addr.Zone() == ""
	}
	if bracketed || strings.Count(element, ":") == 1 {
		withPort, err := netip.ParseAddrPort(element)
		return plain(withPort.Addr()), err == nil && withPort.Addr().Zone() == ""
	}
	addr, err := netip.ParseAddr(element)
	return plain(addr), err == nil && addr.Zone() == ""
}

// plain is an address without what parts equal ones: mapping and zone.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
