package basic

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// The most that a credential holds, in bytes: a username of 256, a colon and a
// password of 512, and that in base64. The buffer has room for what base64
// guesses before it knows the padding.
const (
	maxUserPass = 256 + 1 + password.MaxLength
	maxEncoded  = (maxUserPass + 2) / 3 * 4
	maxDecoded  = maxEncoded / 4 * 3
)

// read returns the username and the password that a request carries, both
// within the buffer. Whatever the scheme Basic stands before is either such a
// pair or rejected.
func (a *Authenticator) read(headers access.Headers, buffer *[maxDecoded]byte) (username, password []byte, err error) {
	scheme, value, state := canon.Authorization(headers)
	switch {
	case state == canon.Absent:
		return nil, nil, access.ErrNoCredential
	case state != canon.Present:
		return nil, nil, access.Invalid("header authorization: empty, or more than one credential")
	case scheme != "basic":
		return nil, nil, access.ErrNoCredential
	}
	userPass, why := a.decode(value, buffer)
	if why == "" {
		username, password, why = split(userPass)
	}
	if why != "" {
		return nil, nil, access.Invalid("header authorization with scheme basic: " + why)
	}
	return username, password, nil
}

// decode reads base64 in its one spelling (RFC 4648 section 4): padded, unused
// bits zero, and without the line breaks that the library skips. It says in
// words what a value is not, or "".
func (a *Authenticator) decode(value string, buffer *[maxDecoded]byte) (userPass []byte, why string) {
	switch {
	case value == "":
		return nil, "no value"
	case len(value) > maxEncoded:
		return nil, "longer than any username and password"
	case strings.ContainsAny(value, "\r\n"):
		return nil, "not base64"
	}
	var encoded [maxEncoded]byte // a string would be copied to the heap
	n, err := a.base64.Decode(buffer[:], encoded[:copy(encoded[:], value)])
	if err != nil {
		return nil, "not base64"
	}
	return buffer[:n], ""
}

// split parts at the first colon: a password may have more of them, a username
// has none (RFC 7617 section 2).
func split(userPass []byte) (username, secret []byte, why string) {
	username, secret, ok := bytes.Cut(userPass, []byte{':'})
	switch {
	case !ok:
		return nil, nil, "no colon after the username"
	case !consumer.ValidUsername(string(username)):
		return nil, nil, "a username that nobody can have"
	case len(secret) == 0 || len(secret) > password.MaxLength:
		return nil, nil, "a password that is empty or too long"
	case !utf8.Valid(secret) || bytes.ContainsFunc(secret, unicode.IsControl):
		return nil, nil, "a password that is not UTF-8, or has control characters"
	}
	return username, secret, ""
}
