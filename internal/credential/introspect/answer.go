package introspect

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/claims"
)

// answer is what a server says about a token (RFC 7662 section 2.2), and those
// parts of it that are judged here.
type answer struct {
	all    map[string]any
	active bool
	// Zero when absent.
	expires, notBefore, issuedAt time.Time
	audience                     []string
}

// readAnswer reads an answer strictly. An error is the server's fault, not the
// token's: what it does not say clearly is not known. About a token that is not
// active a server should say no more, so nothing more is read.
func readAnswer(text string) (a answer, err error) {
	if a.all, err = claims.ReadObject(text); err != nil {
		return answer{}, err
	}
	active, ok := a.all["active"].(bool)
	if !ok {
		return answer{}, claims.Malformed("active is missing, or not a boolean")
	}
	if a.active = active; !active {
		return answer{}, nil
	}
	for name, at := range map[string]*time.Time{"exp": &a.expires, "nbf": &a.notBefore, "iat": &a.issuedAt} {
		if *at, err = claims.Date(a.all, name); err != nil {
			return answer{}, err
		}
	}
	a.audience, err = claims.Audience(a.all)
	return a, err
}

// forOneOf reports whether the token is meant for one of the audiences.
func (a *answer) forOneOf(audiences []string) bool {
	return slices.ContainsFunc(a.audience, func(aud string) bool { return slices.Contains(audiences, aud) })
}

// isOneOf reports whether the token is of one of the types, as far as the
// answer says of which it is.
func (a *answer) isOneOf(types []string) bool {
	for _, name := range []string{"token_type", "typ"} {
		value, present := a.all[name]
		text, _ := value.(string)
		if present && !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, text) }) {
			return false
		}
	}
	return true
}
