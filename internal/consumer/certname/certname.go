// Package certname writes the names of a client certificate in one form, the
// Value of a consumer.Reference, so that what a record declares and what a
// certificate shows are compared as text.
//
// Names are never compared loosely: no wildcard is expanded, no prefix is
// enough, and values keep their case where the name's own standard has one.
package certname

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The most that names may hold, in bytes.
const (
	maxURI     = 2048
	maxDNS     = 255
	maxSubject = 4096
)

// ErrUnprintable is what is wrong with a name that holds NUL, a control or
// another byte that no such name may hold. Programs end or show such a name
// at different places.
var ErrUnprintable = errors.New("a byte that is not printable")

// URI returns the reference of a URI such as a SPIFFE ID: the very text, with
// case, since two spellings of a URI are two names (RFC 5280 section 4.2.1.6
// compares by bytes but for scheme and host, SPIFFE has both in lower case).
func URI(text string) (string, error) {
	if err := printable(text, maxURI); err != nil {
		return "", fmt.Errorf("the URI has %w", err)
	}
	scheme, rest, _ := strings.Cut(text, ":")
	if rest == "" || !isScheme(scheme) {
		return "", errors.New("the URI has no scheme, such as spiffe:") //nolint:revive,staticcheck // the colon is the scheme's own
	}
	return "uri:" + text, nil
}

// isScheme is of RFC 3986 section 3.1.
func isScheme(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !isLetter(c) && (i == 0 || !isDigit(c) && !strings.ContainsRune("+-.", rune(c))) {
			return false
		}
	}
	return text != ""
}

// DNS returns the reference of a DNS name, in lower case. A wildcard is a name
// of its own.
func DNS(text string) (string, error) {
	if err := printable(text, maxDNS); err != nil {
		return "", fmt.Errorf("the DNS name has %w", err)
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(text, "*."), ".") {
		if !isLabel(label) {
			return "", errors.New("the DNS name is no list of labels of letters, digits, - and _")
		}
	}
	return "dns:" + strings.ToLower(text), nil
}

func isLabel(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= 63
}

// Fingerprint returns the reference of a certificate by the SHA-256 digest of
// its DER form: 64 hexadecimal digits in any case, with or without a colon
// between the bytes, as openssl writes them.
func Fingerprint(text string) (string, error) {
	digits := text
	if len(text) == 95 {
		digits = strings.ReplaceAll(text, ":", "")
	}
	if sum, err := hex.DecodeString(digits); err != nil || len(sum) != 32 {
		return "", errors.New("the fingerprint is not 64 hexadecimal digits of SHA-256")
	}
	return "sha256:" + strings.ToLower(digits), nil
}

// printable refuses what neither a URI nor a DNS name may hold: anything but
// visible ASCII.
func printable(text string, most int) error {
	if text == "" || len(text) > most {
		return fmt.Errorf("%d bytes, expected 1 to %d", len(text), most)
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' {
			return ErrUnprintable
		}
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
