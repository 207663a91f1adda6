package forwardauth

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// Checker pronounces on a request. It always answers.
type Checker interface {
	Check(ctx context.Context, req *access.Request) access.Verdict
}

// Options are what the door needs besides a Checker.
type Options struct {
	// Trusted are the peers that are believed about the client's request:
	// X-Forwarded-*, X-Original-* and the opa plugin's input. The zero value
	// trusts nobody on a network; a Unix socket's peer is always trusted, since
	// the socket file's permissions say who may connect.
	Trusted canon.Trusted
	// Now is the clock of Request.Time; nil is time.Now.
	Now func() time.Time
	// Log tells of what no verdict can tell: a panic, an answer that HTTP
	// forbids. Nil is silent.
	Log *slog.Logger
}

// The paths of the doors.
const (
	gatewayPrefix = "/forward-auth/"
	opaPrefix     = "/v1/data/"
)

// New returns the HTTP doors. Any other path than theirs is 404, which is a
// denial to every gateway. Serve it with a Server: net/http's own lets some
// requests pass that can be read in two ways.
func New(checker Checker, o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{checker: checker, trusted: o.Trusted, now: o.Now, log: o.Log, dialects: map[string]*Dialect{}}
	for _, d := range Dialects() {
		h.dialects[string(d.Door)] = &d
	}
	return h
}

type handler struct {
	checker  Checker
	trusted  canon.Trusted
	now      func() time.Time
	log      *slog.Logger
	dialects map[string]*Dialect
}

// ServeHTTP finds the door by the raw target: a mux would clean the path that
// Envoy asks about, and answer with a redirect.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		defer leaveBody(w)()
	}
	if policy, ok := strings.CutPrefix(r.RequestURI, opaPrefix); ok {
		h.serveOPA(w, r, policy)
		return
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		w.Header().Set("Connection", "close")
		refused := access.Deny(access.Reason{Code: access.CodeMalformedRequest})
		a := denial(&refused) // "OPTIONS *", the absolute form, CONNECT
		write(w, r, &a)
		return
	}
	dialect, rest, ok := h.dialect(r.RequestURI)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	verdict := h.judge(r.Context(), func() *access.Request { return h.read(dialect, r, rest) })
	h.render(w, r, dialect, &verdict)
}

// dialect splits "/forward-auth/NAME" and what follows it. The question mark
// begins a query that gateways append (Caddy) and that means nothing here.
func (h *handler) dialect(target string) (d *Dialect, rest string, ok bool) {
	name, ok := strings.CutPrefix(target, gatewayPrefix)
	if !ok {
		return nil, "", false
	}
	if end := strings.IndexAny(name, "/?"); end >= 0 {
		name, rest = name[:end], name[end:]
	}
	d, ok = h.dialects[name]
	return d, rest, ok && (d.Prefixed || !strings.HasPrefix(rest, "/"))
}

// judge reads and asks. A panic on the way is a fault of this one request.
func (h *handler) judge(ctx context.Context, read func() *access.Request) (verdict access.Verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			h.log.Error("panic at the HTTP door: the request was refused", "panic", access.PanicText(cause), "stack", string(debug.Stack()))
			verdict = access.Fault("panic at the HTTP door")
		}
	}()
	return h.checker.Check(ctx, read())
}
