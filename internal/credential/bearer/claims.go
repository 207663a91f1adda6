package bearer

import (
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/claims"
)

// claimSet are a token's claims, and those of them that are judged here. Names
// are exact: one in another case is another claim, which means nothing.
type claimSet struct {
	all map[string]any
	// iss is the issuer, if hasIss.
	iss    string
	hasIss bool
	// expires is always there; notBefore and issuedAt are zero when absent.
	expires, notBefore, issuedAt time.Time
	audience                     []string
}

func readClaims(payload []byte) (claimSet, error) {
	all, err := claims.ReadObject(string(payload))
	if err != nil {
		return claimSet{}, within("claims", err)
	}
	c := claimSet{all: all}
	if c.audience, err = claims.Audience(all); err != nil {
		return claimSet{}, err
	}
	for _, read := range []func() error{c.readIssuer, c.readTimes, c.checkType} {
		if err := read(); err != nil {
			return claimSet{}, err
		}
	}
	return c, nil
}

func (c *claimSet) readIssuer() error {
	iss, present := c.all["iss"]
	if c.iss, c.hasIss = iss.(string); present && !c.hasIss {
		return malformed("claim iss is not a string")
	}
	return nil
}

func (c *claimSet) readTimes() error {
	var err error
	if c.expires, err = claims.Date(c.all, "exp"); err != nil {
		return err
	}
	if !c.expires.After(time.Unix(0, 0)) {
		return malformed("claim exp is missing, or not after 1970")
	}
	if c.notBefore, err = claims.Date(c.all, "nbf"); err != nil {
		return err
	}
	c.issuedAt, err = claims.Date(c.all, "iat")
	return err
}

// checkType refuses Keycloak's other tokens (ID, Refresh, Offline, Logout): the
// same keys sign them, under a header that says plain JWT, and the claim `typ`
// alone tells them apart.
func (c *claimSet) checkType() error {
	if typ, present := c.all["typ"]; present && typ != "Bearer" {
		return malformed("claim typ is not Bearer")
	}
	return nil
}

// forOneOf reports whether the token is meant for one of the audiences.
func (c *claimSet) forOneOf(audiences []string) bool {
	return slices.ContainsFunc(c.audience, func(aud string) bool { return slices.Contains(audiences, aud) })
}
