package bearer

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// endOfTime is the first second of the year 10000: no date is past it.
const endOfTime = 253402300800

// claims are a token's claims, and those of them that are judged here. Names
// are exact: one in another case is another claim, which means nothing.
type claims struct {
	all map[string]any
	// iss is the issuer, if hasIss.
	iss    string
	hasIss bool
	// expires is always there; notBefore and issuedAt are zero when absent.
	expires, notBefore, issuedAt time.Time
	audience                     []string
}

func readClaims(part string) (claims, error) {
	all, err := decodeObject(part)
	if err != nil {
		return claims{}, within("claims", err)
	}
	c := claims{all: all}
	for _, read := range []func() error{c.readIssuer, c.readTimes, c.readAudience, c.checkType} {
		if err := read(); err != nil {
			return claims{}, err
		}
	}
	return c, nil
}

func (c *claims) readIssuer() error {
	iss, present := c.all["iss"]
	if c.iss, c.hasIss = iss.(string); present && !c.hasIss {
		return malformed("claim iss is not a string")
	}
	return nil
}

func (c *claims) readTimes() error {
	var err error
	if c.expires, err = c.date("exp"); err != nil {
		return err
	}
	if !c.expires.After(time.Unix(0, 0)) {
		return malformed("claim exp is missing, or not after 1970")
	}
	if c.notBefore, err = c.date("nbf"); err != nil {
		return err
	}
	c.issuedAt, err = c.date("iat")
	return err
}

// date reads a NumericDate (RFC 7519 section 2), fractions and all; absent is
// the zero time.
func (c *claims) date(name string) (time.Time, error) {
	value, present := c.all[name]
	if !present {
		return time.Time{}, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, malformed("claim " + name + " is not a number")
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 || seconds >= endOfTime {
		return time.Time{}, malformed("claim " + name + " is out of range")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), nil
}

func (c *claims) readAudience() error {
	switch aud := c.all["aud"].(type) {
	case string:
		c.audience = []string{aud}
		return nil
	case nil:
		if _, present := c.all["aud"]; !present {
			return nil
		}
	case []any:
		var ok bool
		if c.audience, ok = stringsOf(aud); ok {
			return nil
		}
	}
	return malformed("claim aud is neither a string nor a list of strings")
}

// checkType refuses Keycloak's other tokens (ID, Refresh, Offline, Logout): the
// same keys sign them, under a header that says plain JWT, and the claim `typ`
// alone tells them apart.
func (c *claims) checkType() error {
	if typ, present := c.all["typ"]; present && typ != "Bearer" {
		return malformed("claim typ is not Bearer")
	}
	return nil
}

// forOneOf reports whether the token is meant for one of the audiences.
func (c *claims) forOneOf(audiences []string) bool {
	return slices.ContainsFunc(c.audience, func(aud string) bool { return slices.Contains(audiences, aud) })
}

func stringsOf(list []any) ([]string, bool) {
	out := make([]string, 0, len(list))
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
