package signature

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// signed is what a request says of its signature: read, and not yet believed.
type signed struct {
	dialect   Dialect
	keyID     string
	algorithm string
	mac       []byte
	// head and then body is the text that was signed.
	head string
	body []byte
	// once names the signature among those of its key: it holds once. It can be
	// forgotten after until, when the date is too old under any rules.
	once  string
	until time.Time
	// header is where the credential stands, in lower case.
	header string
}

// IsPlain reports that a request is signed in the plain dialect: it carries
// X-Signature. Its X-API-Key then holds a key's id, and not an API key.
func IsPlain(h access.Headers) bool {
	_, lines := h.Get(signatureHeader)
	return lines > 0
}

// read finds the one signature in a request. What is there and can't be read is
// rejected.
func (a *Authenticator) read(req *access.Request) (*signed, error) {
	dialect, value, err := a.choose(req.Headers)
	if err != nil {
		return nil, err
	}
	var s *signed
	if dialect == Plain {
		s, err = a.readPlain(req)
	} else {
		s, err = a.readSigned(req, dialect, value)
	}
	if err != nil {
		return nil, access.Invalid(string(dialect) + " signature: " + err.Error())
	}
	return s, nil
}

// choose tells the dialect by the form of the request, with the parameters in
// the Authorization header.
func (a *Authenticator) choose(h access.Headers) (dialect Dialect, value string, err error) {
	plain := a.reads(Plain) && IsPlain(h)
	scheme, value, state := canon.Authorization(h)
	dialect = a.dialectOf(scheme)
	switch {
	case (state == canon.Repeated || state == canon.Empty) && (a.reads(APISIX) || a.reads(Kong)):
		return "", "", access.Invalid("header authorization: empty, or more than one credential")
	case plain && dialect != "":
		return "", "", access.Invalid("a plain signature and one in the header authorization")
	case plain:
		return Plain, "", nil
	case dialect == "":
		return "", "", access.ErrNoCredential
	}
	return dialect, value, nil
}

func (a *Authenticator) reads(d Dialect) bool { return slices.Contains(a.config.Dialects, d) }

func (a *Authenticator) dialectOf(scheme string) Dialect {
	switch {
	case scheme == "signature" && a.reads(APISIX):
		return APISIX
	case scheme == "hmac" && a.reads(Kong):
		return Kong
	}
	return ""
}

// fresh refuses a date that is too far from our clock.
func (a *Authenticator) fresh(date time.Time) error {
	if off := a.now().Sub(date); off.Abs() > a.config.ClockSkew {
		return fmt.Errorf("its date is %s from our clock, more than %s", off.Abs().Truncate(time.Millisecond), a.config.ClockSkew)
	}
	return nil
}

// maxKeyID is the longest key id, in bytes.
const maxKeyID = 256

// checkKeyID refuses what no record has as its id, before a store is asked.
func checkKeyID(id string) error {
	if id == "" || len(id) > maxKeyID {
		return fmt.Errorf("its key id has %d bytes, expected 1 to %d", len(id), maxKeyID)
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c == ',':
			return errors.New("its key id holds a comma, so perhaps two values")
		case c <= ' ' || c > '~':
			return errors.New("its key id holds a byte that is not visible ASCII")
		}
	}
	return nil
}
