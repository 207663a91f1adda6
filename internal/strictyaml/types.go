package strictyaml

import (
	"errors"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time with its unit, such as 30s or 1h30m; never
// negative.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does, without signs.
func (d *Duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	if err != nil || strings.ContainsAny(string(text), "+-") {
		return errors.New("expected a duration with its unit, such as 500ms, 30s or 24h")
	}
	*d = Duration(span)
	return nil
}

// Size is a number of bytes, such as 64MiB.
type Size int64

var (
	sizeForm  = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})(KiB|MiB|GiB|B)?$`)
	sizeUnits = map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
)

// UnmarshalText reads a whole number with a unit of 1024s, or of bytes.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeForm.FindStringSubmatch(string(text))
	if m == nil {
		return errors.New("expected a size such as 64MiB (KiB, MiB, GiB, or plain bytes)")
	}
	number, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || number > math.MaxInt64/sizeUnits[m[2]] {
		return errors.New("is a size beyond what can be counted")
	}
	*s = Size(number * sizeUnits[m[2]])
	return nil
}

// Network is a CIDR network, or a single address as the network of itself.
type Network netip.Prefix

// UnmarshalText reads IPv4 and IPv6. An IPv4-mapped IPv6 address is read as
// IPv4; a network of them is refused, and so is one with bits set beyond its
// length: it is mostly a slip.
func (n *Network) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		*n = Network(netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return errors.New("expected an address or a network, such as 203.0.113.7 or 203.0.113.0/24")
	case prefix != prefix.Masked():
		return errors.New("has bits set beyond its length; expected " + prefix.Masked().String())
	}
	*n = Network(prefix)
	return nil
}

// Prefixes turns networks into what the standard library calls them.
func Prefixes(networks []Network) []netip.Prefix {
	list := make([]netip.Prefix, len(networks))
	for i, n := range networks {
		list[i] = netip.Prefix(n)
	}
	return list
}
