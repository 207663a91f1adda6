package extauthz

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// Checker pronounces verdicts; the gate does. It is called by many goroutines
// at once and must heed the context, which ends when Envoy no longer waits.
type Checker interface {
	Check(ctx context.Context, req *access.Request) access.Verdict
}

// Options are what the door needs to know. The zero value is safe.
type Options struct {
	// Trusted are the proxies behind whose source.address x-forwarded-for is
	// walked. Envoy has walked already, so usually there are none.
	Trusted canon.Trusted
	// FaultAsError says a fault as error_response instead of as a denial:
	// Envoy then does what its failure_mode_allow says, which may be to let
	// the request through. Envoys that don't know the field deny with 403.
	FaultAsError bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log hears of what goes wrong in the door itself; nil is silence. What
	// the gate pronounces is the gate's to log.
	Log *slog.Logger
}

// Server implements envoy.service.auth.v3.Authorization.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	checker  Checker
	reader   reader
	renderer *renderer
	log      *slog.Logger
}

var _ authv3.AuthorizationServer = (*Server)(nil)

// New makes the door before a checker.
func New(checker Checker, o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		checker:  checker,
		reader:   reader{trusted: o.Trusted, now: o.Now},
		renderer: newRenderer(o.FaultAsError),
		log:      o.Log,
	}
}

// Check answers Envoy. It never returns an error: see the package comment.
func (s *Server) Check(ctx context.Context, check *authv3.CheckRequest) (answer *authv3.CheckResponse, _ error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "panic in the gRPC door", "cause", access.PanicText(cause), "stack", string(debug.Stack()))
			answer = s.renderer.fault("")
		}
	}()
	if ctx.Err() != nil {
		return s.renderer.fault(""), nil
	}
	req := s.reader.read(check)
	verdict := s.checker.Check(ctx, req)
	answer, err := s.renderer.render(&verdict, req.Query)
	if err != nil {
		s.log.ErrorContext(ctx, "verdict can't be sent", "decision_id", verdict.DecisionID, "error", err)
		return s.renderer.fault(verdict.DecisionID), nil
	}
	return answer, nil
}
