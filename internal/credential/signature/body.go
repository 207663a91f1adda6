package signature

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// whole returns the request's body, or says why it is not all there. That the
// gateway passed nothing does not mean that there is nothing.
func whole(req *access.Request) ([]byte, error) {
	length, lines := req.Headers.Get("content-length")
	_, encodings := req.Headers.Get("transfer-encoding")
	passed := len(req.Body)
	switch {
	case req.BodyTruncated:
		return nil, errors.New("the gateway passed a part of the body")
	case req.Size > int64(passed), lines == 1 && length != strconv.Itoa(passed), lines > 1:
		return nil, fmt.Errorf("the gateway passed %d bytes of the body, and another length is announced", passed)
	case passed == 0 && encodings > 0:
		return nil, errors.New("a body is announced, and the gateway passed none")
	case passed == 0 && !withoutBody(req, lines == 1):
		return nil, errors.New("the gateway passed no body, and nothing shows that there is none")
	}
	return req.Body, nil
}

// withoutBody reports that a request of which no body was passed has none. No
// upstream acts on the content of these methods (RFC 9110 section 9.3); some do
// on that of DELETE. For others the
// client's own Content-Length of 0 counts, which at the HTTP doors may be that
// of the gateway's question.
func withoutBody(req *access.Request, announced bool) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return announced && (req.Door == access.GRPC || req.Door == access.OPA)
}

// checkBody refuses a body that the signature does not cover.
func (a *Authenticator) checkBody(req *access.Request, parts []part) error {
	body, unknown := whole(req)
	if unknown != nil {
		if a.config.DangerouslyUnsignedBody {
			return nil
		}
		return unknown
	}
	covered, err := checkDigests(req.Headers, parts, body)
	if err == nil && !covered && len(body) > 0 && !a.config.DangerouslyUnsignedBody {
		return errors.New("there is a body, and no digest of it is signed")
	}
	return err
}

// checkDigests compares every signed digest with the body.
func checkDigests(h access.Headers, parts []part, body []byte) (covered bool, err error) {
	for _, name := range [...]string{"digest", "content-digest"} {
		if !signs(parts, name) {
			continue
		}
		text, err := one(h, name)
		if err != nil {
			return false, err
		}
		if err := checkDigest(name, text, body); err != nil {
			return false, fmt.Errorf("header %s: %w", name, err)
		}
		covered = true
	}
	return covered, nil
}

// checkDigest reads one digest: `SHA-256=base64` in Digest, `sha-256=:base64:`
// in Content-Digest. A list of several is not read.
func checkDigest(header, text string, body []byte) error {
	algorithm, value, _ := strings.Cut(text, "=")
	if header == "content-digest" {
		inner, open := strings.CutPrefix(value, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		if !open || !closed {
			return errors.New("it is not of the form sha-256=:base64: of RFC 9530")
		}
		value = inner
	} else {
		algorithm = strings.ToLower(algorithm)
	}
	want, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return errors.New("not one digest in base64")
	}
	var sum []byte
	switch algorithm {
	case "sha-256":
		s := sha256.Sum256(body)
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512(body)
		sum = s[:]
	default:
		return errors.New("its algorithm is neither SHA-256 nor SHA-512")
	}
	if subtle.ConstantTimeCompare(sum, want) != 1 {
		return errors.New("it is not the body's")
	}
	return nil
}
