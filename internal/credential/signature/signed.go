package signature

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// imfFixdate is the one form of dates that clients may send (RFC 9110 section
// 5.6.7).
const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// readSigned reads a signature in the Authorization header.
func (a *Authenticator) readSigned(req *access.Request, dialect Dialect, value string) (*signed, error) {
	p, err := readParameters(dialect, value)
	if err != nil {
		return nil, err
	}
	parts, err := readParts(dialect, p.headers)
	if err != nil {
		return nil, err
	}
	date, err := readDate(req.Headers, dialect, parts, a.fresh)
	if err != nil {
		return nil, err
	}
	// Strict refuses set bits behind the last byte, but skips line breaks; the
	// parameters have none.
	mac, err := base64.StdEncoding.Strict().DecodeString(p.signature)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	if err := errors.Join(checkKeyID(p.keyID), a.checkParts(dialect, parts), a.checkBody(req, parts)); err != nil {
		return nil, err
	}
	text, err := signingText(req, dialect, p.keyID, parts)
	return &signed{
		dialect: dialect, keyID: p.keyID, algorithm: p.algorithm, mac: mac, head: text,
		once: string(mac), until: date.Add(a.config.RaisableTo), header: "authorization",
	}, err
}

// checkParts refuses a signature that leaves out what must be signed.
func (a *Authenticator) checkParts(dialect Dialect, parts []part) error {
	target := a.config.DangerouslyUnsignedTarget
	for _, p := range parts {
		target = target || p.isTarget(dialect)
	}
	if !target {
		return errors.New("it does not sign the request target")
	}
	for _, name := range a.config.RequiredHeaders {
		if !signs(parts, strings.ToLower(name)) {
			return fmt.Errorf("it does not sign the header %s", name)
		}
	}
	return nil
}

// readDate reads the signed dates, of which there must be one: Date, and of
// Kong X-Date too, for browsers don't let a page set Date. Each must be fresh.
// The latest is returned.
func readDate(h access.Headers, dialect Dialect, parts []part, fresh func(time.Time) error) (latest time.Time, err error) {
	for _, name := range [...]string{"date", "x-date"} {
		if name == "x-date" && dialect != Kong || !signs(parts, name) {
			continue
		}
		text, err := one(h, name)
		if err != nil {
			return latest, err
		}
		date, err := time.Parse(imfFixdate, text)
		// Parse takes any day of the week, and fractions of a second.
		if err != nil || date.Format(imfFixdate) != text {
			return latest, fmt.Errorf("header %s is not of the form %q", name, imfFixdate)
		}
		if err := fresh(date); err != nil {
			return latest, err
		}
		if date.After(latest) {
			latest = date
		}
	}
	if latest.IsZero() {
		return latest, errors.New("it does not sign a date")
	}
	return latest, nil
}
