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

// lowerASCII is lower case in ASCII alone: to Unicode's rules the Kelvin sign
// is a "k" and the long s an "s", and so two names would be one.
func lowerASCII(s string) string {
	for i := range len(s) {
		if lowerByte(s[i]) != s[i] {
			return lowerFrom(s, i)
		}
	}
	return s
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}

func lowerFrom(s string, first int) string {
	out := []byte(s)
	for i := first; i < len(out); i++ {
		out[i] = lowerByte(out[i])
	}
	return string(out)
}
