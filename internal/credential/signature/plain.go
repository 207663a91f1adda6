package signature

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// The headers of the plain dialect.
const (
	keyHeader       = "x-api-key"
	timestampHeader = "x-timestamp"
	nonceHeader     = "x-nonce"
	signatureHeader = "x-signature"
)

const (
	// timestampDigits are those of milliseconds since 1970, from 2001 to 2286.
	timestampDigits = 13
	// maxNonce is the longest nonce, in bytes.
	maxNonce = 128
)

// readPlain reads the four headers of the plain dialect.
func (a *Authenticator) readPlain(req *access.Request) (*signed, error) {
	var values [4]string
	for i, name := range [...]string{keyHeader, timestampHeader, nonceHeader, signatureHeader} {
		var err error
		if values[i], err = one(req.Headers, name); err != nil {
			return nil, err
		}
	}
	keyID, timestamp, nonce, signature := values[0], values[1], values[2], values[3]
	date, err := readTimestamp(timestamp)
	if err != nil {
		return nil, err
	}
	mac, err := hex.DecodeString(signature)
	if err != nil {
		return nil, errors.New("header x-signature is not hexadecimal")
	}
	body, err := whole(req)
	if err := errors.Join(checkKeyID(keyID), checkNonce(nonce), a.fresh(date), err); err != nil {
		return nil, err
	}
	return &signed{
		dialect: Plain, keyID: keyID, algorithm: sha256Name, mac: mac,
		head: timestamp + "." + nonce + ".", body: body,
		once: nonce, until: date.Add(a.config.RaisableTo), header: keyHeader,
	}, nil
}

// one returns the value of a header that must be there, on one line.
func one(h access.Headers, name string) (string, error) {
	value, lines := h.Get(name)
	if lines != 1 {
		return "", fmt.Errorf("%d lines of the header %s, expected one", lines, name)
	}
	return value, nil
}

func readTimestamp(text string) (time.Time, error) {
	if len(text) != timestampDigits || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, errors.New("header x-timestamp is not milliseconds since 1970, in 13 digits")
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms), err
}

// checkNonce refuses a "." too: the text that is signed could then be cut into
// nonce and body in another way, which would be another nonce under the same
// signature.
func checkNonce(nonce string) error {
	if nonce == "" || len(nonce) > maxNonce {
		return fmt.Errorf("header x-nonce has %d bytes, expected 1 to %d", len(nonce), maxNonce)
	}
	for i := range len(nonce) {
		if c := nonce[i]; c <= ' ' || c > '~' || c == '.' || c == ',' {
			return errors.New("header x-nonce holds a dot, a comma or a byte that is not visible ASCII")
		}
	}
	return nil
}

// readsAsPlain reports that a text begins as one of the plain dialect does. If
// another dialect's could, then who chooses the body of a plainly signed
// request could have a request of that dialect signed.
func readsAsPlain(text string) bool {
	rest := strings.TrimLeft(text, "0123456789")
	return len(rest) < len(text) && strings.HasPrefix(rest, ".")
}
