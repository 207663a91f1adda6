package canon

import (
	"errors"
	"fmt"
)

// HeaderName returns a header's name in lower case. It must be a token of RFC
// 9110 section 5.1. A name in lower case is returned without an allocation.
func HeaderName(raw string) (string, error) {
	if raw == "" {
		return "", errors.New("a header has no name")
	}
	for i := range len(raw) {
		if !isTokenByte(raw[i]) {
			return "", fmt.Errorf("a header's name holds the byte %q", raw[i])
		}
	}
	return lowerASCII(raw), nil
}

// FoldName returns a header's name as the most forgiving upstream reads it:
// lower case, with "_" and "." as "-". CGI and WSGI servers can't tell
// X_Consumer_Username from X-Consumer-Username. A name that is folded already
// is returned without an allocation.
func FoldName(name string) string {
	return mapASCII(name, func(c byte) byte {
		if c == '_' || c == '.' {
			return '-'
		}
		return lowerByte(c)
	})
}

// lowerASCII is lower case in ASCII alone: to Unicode's rules the Kelvin sign
// is a "k" and the long s an "s", and so two names would be one.
func lowerASCII(s string) string { return mapASCII(s, lowerByte) }

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}

// mapASCII maps each byte; what nothing changes in is returned as it is.
func mapASCII(s string, to func(byte) byte) string {
	for i := range len(s) {
		if to(s[i]) != s[i] {
			return mapFrom(s, i, to)
		}
	}
	return s
}

func mapFrom(s string, first int, to func(byte) byte) string {
	out := []byte(s)
	for i := first; i < len(out); i++ {
		out[i] = to(out[i])
	}
	return string(out)
}
