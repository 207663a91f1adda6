package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/access"
)

// proven is what the authenticators found in a request.
type proven struct {
	proofs []proof
	// rejection is the first one in order; rejected are the kinds that
	// rejected, for the challenges.
	rejection *access.Rejection
	rejected  []access.Kind
	fault     error
	left      []leftover
}

// leftover is a header whose value a kind left to another.
type leftover struct {
	kind   access.Kind
	header string
}

// proof is one kind's. The credential's own kind may be another: an issuer's
// token is proven by the JWT authenticator.
type proof struct {
	access.Proof
	kind access.Kind
}

// authenticate asks every believed authenticator: each credential of a
// believed kind is proven, not only the first.
func (r *Rules) authenticate(ctx context.Context, req *access.Request, route *Route) proven {
	var found proven
	for _, a := range r.believed[route] {
		p, err := a.Authenticate(ctx, req)
		found.add(proof{p, a.Kind()}, err)
		if req.Explain.On() {
			req.Explain.Note("authenticate", string(a.Kind())+": "+outcome(p, err))
		}
	}
	found.settle()
	found.confine(route)
	found.doubt(route, r.Staleness)
	return found
}

// settle rejects what was left to another kind and was not taken: a credential
// that is there but nobody's is bad, also where anonymous is allowed.
func (p *proven) settle() {
	for _, l := range p.left {
		taken := slices.ContainsFunc(p.proofs, func(found proof) bool { return found.From.Header == l.header })
		if !taken && p.rejection == nil && p.fault == nil {
			p.reject(l.kind, access.Invalid("the header "+l.header+" holds the form of a kind that is not believed here"))
		}
	}
}

func (p *proven) reject(kind access.Kind, rejection *access.Rejection) {
	p.rejected = append(p.rejected, kind)
	if p.rejection == nil {
		p.rejection = rejection
	}
}

func (p *proven) add(found proof, err error) {
	var rejection *access.Rejection
	var left *access.LeftToOthers
	switch {
	case err == nil && found.Identity.Anonymous():
		p.fault = fmt.Errorf("%s: proof without a consumer", found.kind)
	case err == nil:
		p.proofs = append(p.proofs, found)
	case err == access.ErrNoCredential: //nolint:errorlint // the usual answer, told apart without a walk
	case errors.As(err, &left):
		p.left = append(p.left, leftover{found.kind, left.Header})
	case errors.Is(err, access.ErrNoCredential):
	case errors.As(err, &rejection):
		p.reject(found.kind, rejection)
	case p.fault == nil:
		p.fault = fmt.Errorf("%s: %w", found.kind, err)
	}
}

func outcome(found access.Proof, err error) string {
	var left *access.LeftToOthers
	switch {
	case errors.As(err, &left):
		return left.Error()
	case errors.Is(err, access.ErrNoCredential):
		return "no credential"
	case err != nil:
		return "refused, " + err.Error()
	case found.Identity.Anonymous():
		return "proof without a consumer"
	}
	return "proved consumer " + found.Identity.Consumer.Name + " by credential " + found.Identity.Credential.ID
}

// identity says what the findings alone decide: a rejection outranks a fault,
// since whatever the other credentials are worth the answer is no. ok means
// that the story goes on with the identity.
func (p *proven) identity(route *Route) (id *access.Identity, reason access.Reason, ok bool) {
	switch {
	case p.rejection != nil:
		return nil, access.Reason{Code: p.rejection.Code, Detail: p.rejection.Detail}, false
	case p.fault != nil:
		return nil, access.Reason{Code: access.CodeFault, Detail: p.fault.Error()}, false
	case p.disagree():
		return nil, access.Reason{Code: access.CodeInvalidCredential, Detail: "credentials of two consumers in one request"}, false
	case len(p.proofs) == 0:
		return anonymous(route)
	case route.Authenticate.AllOf && len(p.proofs) < len(route.Authenticate.Kinds):
		return nil, access.Reason{Code: access.CodeMissingCredential, Detail: "the route asks for a credential of each of its kinds"}, false
	case route.Authenticate.AllOf:
		return join(p.proofs), access.Reason{}, true
	}
	return p.proofs[0].Identity, access.Reason{}, true
}

// anonymous is for a request without any credential of a believed kind.
func anonymous(route *Route) (*access.Identity, access.Reason, bool) {
	if route.Anonymous && route.Require.empty() && !route.Authenticate.AllOf {
		return access.AnonymousIdentity(), access.Reason{}, true
	}
	return nil, access.Reason{Code: access.CodeMissingCredential, Detail: "no credential of a kind that is believed here"}, false
}

func (p *proven) disagree() bool {
	for i := 1; i < len(p.proofs); i++ {
		a, b := p.proofs[0].Identity.Consumer, p.proofs[i].Identity.Consumer
		if a.Name != b.Name || a.Ephemeral != b.Ephemeral {
			return true
		}
		// An ephemeral consumer is one issuer's: another's of that name is another.
		if a.Ephemeral && p.proofs[0].Identity.Issuer != p.proofs[i].Identity.Issuer {
			return true
		}
	}
	return false
}

// join makes one identity of several proofs of one consumer; the first names
// the credential.
func join(proofs []proof) *access.Identity {
	id := *proofs[0].Identity
	for i := range proofs[1:] {
		more := proofs[1+i].Identity
		id.Scopes = union(id.Scopes, more.Scopes)
		id.Roles = union(id.Roles, more.Roles)
		id.Groups = union(id.Groups, more.Groups)
		if id.Claims == nil {
			id.Claims, id.Issuer = more.Claims, more.Issuer
		}
	}
	return &id
}

// union keeps the order of a and leaves both lists as they are: they belong to
// identities that are shared.
func union(a, b []string) []string {
	all := make([]string, 0, len(a)+len(b))
	seen := make(map[string]bool, len(a)+len(b))
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// violation says which constraint of the consumer or of a proven credential
// the request does not satisfy, or "".
func (p *proven) violation(req *access.Request) string {
	for i := range p.proofs {
		id := p.proofs[i].Identity
		if v := id.Consumer.Constraints.Violation(req.Method, req.Client); v != "" {
			return "consumer " + id.Consumer.Name + ": " + v
		}
		if v := id.Credential.Constraints.Violation(req.Method, req.Client); v != "" {
			return "credential " + id.Credential.ID + ": " + v
		}
	}
	return ""
}
