package gate

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Authenticator proves credentials of one kind.
type Authenticator interface {
	// Kind is the kind of credential that it believes.
	Kind() access.Kind
	// Challenge is its WWW-Authenticate line; rejected says that a credential
	// of its kind was there and was refused (RFC 6750 section 3.1 tells the
	// client so).
	Challenge(rejected bool) string
	// Authenticate has three honest answers: a proof; access.ErrNoCredential,
	// after which other kinds are asked; a *access.Rejection, which ends in a
	// 401. Any other error is a fault. It is called by many goroutines at once.
	Authenticate(ctx context.Context, req *access.Request) (access.Proof, error)
}

// Neighbour is an Authenticator that leaves some values to other kinds, by
// their form. Among returns one that leaves them only to kinds that are believed
// beside it: what a route does not believe is not looked at there, and what is
// left to nobody would count as no credential.
type Neighbour interface {
	Authenticator
	Among(kinds []access.Kind) Authenticator
}

// Question is what policy decides on.
type Question struct {
	Request  *access.Request
	Identity *access.Identity
	// Route is the matched route's name, empty for the default, and Params
	// what its pattern took from the path.
	Route  string
	Params []access.Param
	// Entrypoint is the rule that decides, as a path such as
	// "postern/authz/allow".
	Entrypoint string
	// DecisionID names the verdict that this is asked for. The decision does not
	// depend on it.
	DecisionID string
}

// Policy decides. An error is a fault, but for *access.Unreadable, which is a
// malformed request; a plain no is a Decision. One value of
// Policy is one revision: it answers the same question alike for as long as it
// lives. It is called by many goroutines at once.
type Policy interface {
	Decide(ctx context.Context, q *Question) (access.Decision, error)
}

// Signer vouches for an identity to the upstream, in a value that can stand in
// a header. It is asked only for requests that are let through with a
// consumer. An error is a fault. It is called by many goroutines at once.
type Signer interface {
	Sign(ctx context.Context, req *access.Request, id *access.Identity, decisionID string) (string, error)
}

// Recorder notes verdicts. It must not block the request.
type Recorder interface {
	Record(req *access.Request, verdict *access.Verdict, took time.Duration)
}
