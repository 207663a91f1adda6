package canon

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The longest host without its port, and the longest label of a name
// (RFC 1035 section 2.3.4), in bytes.
const (
	maxHost  = 255
	maxLabel = 63
)

// Host reads a Host header, :authority or the like: a DNS name, an IPv4
// address or a bracketed IPv6 address, with an optional port. It returns the
// host in lower case without port and without the one trailing dot that a name
// may have; IPv6 stays bracketed, in the form of RFC 5952. A host that is
// canonical already is returned without an allocation.
//
// Everything else is an error: an empty host, two hosts, user information,
// percent-encodings, raw international names, and numbers that some programs
// take for an IPv4 address, such as "127.1".
func Host(raw string) (host string, err error) {
	if strings.HasPrefix(raw, "[") {
		return hostIPv6(raw)
	}
	name, port, hasPort := strings.Cut(raw, ":")
	if hasPort && !isPort(port) {
		return "", errors.New("the host has a bad port")
	}
	return hostName(name)
}

func hostIPv6(raw string) (string, error) {
	inside, after, closed := strings.Cut(raw[1:], "]")
	port, hasPort := strings.CutPrefix(after, ":")
	if !closed || after != "" && !hasPort || hasPort && !isPort(port) {
		return "", errors.New("the host is no bracketed IPv6 address with an optional port")
	}
	addr, err := netip.ParseAddr(inside)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", errors.New("the host's brackets hold no IPv6 address")
	}
	if canonical := addr.String(); canonical != inside {
		return "[" + canonical + "]", nil
	}
	return raw[:len(inside)+2], nil
}

func hostName(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	switch {
	case name == "":
		return "", errors.New("the host is empty")
	case len(name) > maxHost:
		return "", fmt.Errorf("the host has more than %d bytes", maxHost)
	}
	last := name
	for rest, more := name, true; more; {
		last, rest, more = strings.Cut(rest, ".")
		if err := checkLabel(last); err != nil {
			return "", err
		}
	}
	if isNumber(last) && !isIPv4(name) {
		return "", errors.New("the host ends in a number and is no IPv4 address")
	}
	return lowerASCII(name), nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("the host has an empty label")
	case len(label) > maxLabel:
		return fmt.Errorf("the host has a label of more than %d bytes", maxLabel)
	}
	for i := range len(label) {
		if c := label[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return fmt.Errorf("the host holds the byte %q", c)
		}
	}
	return nil
}

func isIPv4(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Is4()
}

// isPort accepts 1 to 65535 without leading zeros.
func isPort(s string) bool {
	if s == "" || s[0] == '0' || !isNumber(s) {
		return false
	}
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
