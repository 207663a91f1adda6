// Package proof is how every kind of credential asks for one and refuses one,
// in the same words.
package proof

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// Challenge is a line of WWW-Authenticate: a scheme and the realm, a quoted
// string (RFC 9110 sections 11.5 and 11.6.1).
func Challenge(scheme, realm string) string {
	return scheme + ` realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`
}

// Refuse passes an error on, with a note for those who ask why. none is what to
// tell them where there is no credential of the kind.
func Refuse(req *access.Request, kind access.Kind, none string, err error) (access.Proof, error) {
	if req.Explain.On() {
		req.Explain.Note("authenticate", string(kind)+": "+explain(err, none))
	}
	return access.Proof{}, err
}

func explain(err error, none string) string {
	var rejected *access.Rejection
	switch {
	case errors.Is(err, access.ErrNoCredential):
		return none
	case errors.As(err, &rejected):
		return "rejected: " + rejected.Detail
	}
	return "failed: " + err.Error()
}
