package bearer

import (
	"encoding/base64"
	"strings"

	"github.com/postern-authz/postern/internal/claims"
)

// malformed says why something can't be read. It never quotes what it found.
type malformed = claims.Malformed

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// jws is a JWS in its compact form (RFC 7515 section 7.1) that was read and not
// yet believed. Its payload may be anything.
type jws struct {
	header  header
	payload []byte
	// input is what was signed: the first two parts, as they came.
	input     string
	signature []byte
}

// token is a JWS whose payload is claims.
type token struct {
	jws
	claims claimSet
}

// shapely refuses what can't be a token, before any work on it: too long, or
// not of three parts (a JWE has five; the JSON form none).
func shapely(raw string) error {
	switch {
	case len(raw) > maxToken:
		return malformed("token is longer than 16 KiB")
	case strings.Count(raw, ".") != 2:
		return malformed("token does not have three parts")
	}
	return nil
}

// readToken reads a token strictly. Its errors are malformed.
func readToken(raw string) (*token, error) {
	signed, err := readJWS(raw)
	if err != nil {
		return nil, err
	}
	t := &token{jws: signed}
	t.claims, err = readClaims(signed.payload)
	return t, err
}

func readJWS(raw string) (jws, error) {
	if err := shapely(raw); err != nil {
		return jws{}, err
	}
	last := strings.LastIndexByte(raw, '.')
	j := jws{input: raw[:last]}
	head, payload, _ := strings.Cut(j.input, ".")
	var err error
	if j.header, err = readHeader(head); err != nil {
		return jws{}, err
	}
	if j.payload, err = decode(payload); err != nil {
		return jws{}, within("payload", err)
	}
	j.signature, err = decode(raw[last+1:])
	if err == nil && len(j.signature) == 0 {
		err = malformed("token has no signature")
	}
	return j, err
}

// decode reads base64url without padding (RFC 7515 section 2). Exactly one
// text decodes to the same bytes: unused bits must be zero, and line breaks,
// which encoding/base64 skips, are errors.
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, malformed("line break within base64url")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, malformed("not canonical base64url")
	}
	return b, nil
}
