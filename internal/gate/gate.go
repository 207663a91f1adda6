package gate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Gate pronounces verdicts. Its rules are swapped whole, under traffic.
type Gate struct {
	rules    atomic.Pointer[Rules]
	recorder Recorder
	now      func() time.Time
	newID    func() string
}

// New makes a gate without rules; until Swap every verdict is a fault. newID
// makes decision ids; both functions are called by many goroutines at once.
func New(recorder Recorder, now func() time.Time, newID func() string) *Gate {
	return &Gate{recorder: recorder, now: now, newID: newID}
}

// Swap makes rules the ones that every request from now on is judged by.
func (g *Gate) Swap(rules *Rules) { g.rules.Store(rules) }

// Rules returns the rules in force, nil before the first Swap.
func (g *Gate) Rules() *Rules { return g.rules.Load() }

// Check judges a request. It always answers; what goes wrong is a kind of
// verdict. It is called by many goroutines at once.
func (g *Gate) Check(ctx context.Context, req *access.Request) access.Verdict {
	start := g.now()
	verdict := g.judge(ctx, req, g.newID())
	if req.Explain.On() {
		req.Explain.Note("verdict", strings.TrimSuffix(fmt.Sprintf("%s, %s: %s", verdict.Outcome(), verdict.Reason.Code, verdict.Reason.Detail), ": "))
	}
	for _, warning := range verdict.Warnings {
		req.Explain.Note("policy", warning)
	}
	g.recorder.Record(req, &verdict, g.now().Sub(start))
	return verdict
}

// judge runs a hearing under the rules in force. A panic on the way is a fault
// of this one request.
func (g *Gate) judge(ctx context.Context, req *access.Request, id string) (verdict access.Verdict) {
	h := hearing{rules: g.rules.Load(), req: req, id: id}
	defer func() {
		if cause := recover(); cause != nil {
			verdict = h.fault(access.PanicText(cause) + "\n" + string(debug.Stack()))
		}
	}()
	if h.rules == nil {
		return h.fault("no rules are loaded")
	}
	return h.hear(ctx)
}

// hearing is one request before the gate.
type hearing struct {
	rules    *Rules
	req      *access.Request
	id       string
	route    *Route
	params   []access.Param
	found    proven
	identity *access.Identity
	aliases  []string
	// assertion is the identity, signed for the upstream.
	assertion string
}

// hear is the story of a request: read, route, authenticate, constrain,
// require, decide, pronounce. The first stop that says no ends it.
func (h *hearing) hear(ctx context.Context) access.Verdict {
	problem, aliases, managed := h.rules.unsafe(h.req)
	if problem != "" {
		return h.deny(access.Reason{Code: access.CodeMalformedRequest, Detail: problem})
	}
	h.aliases = aliases
	if managed || len(aliases) > 0 {
		h.req = h.rules.honest(h.req)
	}

	var err error
	if h.route, h.params, err = h.rules.route(h.req); err != nil {
		return h.fault(err.Error())
	}
	h.note("route", h.route.Name)

	h.found = h.rules.authenticate(ctx, h.req, h.route)
	identity, reason, ok := h.found.identity(h.route)
	if !ok {
		return h.deny(reason)
	}
	h.identity = identity

	if violation := h.found.violation(h.req); violation != "" {
		return h.deny(access.Reason{Code: access.CodeConstraintViolated, Detail: violation})
	}
	if reason, lacks := h.route.Require.missing(identity); lacks {
		return h.deny(reason)
	}

	decision, err := h.rules.Policy.Decide(ctx, h.question())
	if err != nil {
		return h.undecided(err)
	}
	switch {
	case decision.Allowed:
		return h.allow(ctx, &decision)
	case h.rules.DryRun:
		return h.waive(ctx, &decision)
	}
	return h.denyByPolicy(&decision)
}

// undecided is for a question that policy did not answer. What it could not
// read of the request is the client's doing; anything else is a fault.
func (h *hearing) undecided(err error) access.Verdict {
	var unreadable *access.Unreadable
	if errors.As(err, &unreadable) {
		return h.deny(access.Reason{Code: access.CodeMalformedRequest, Detail: unreadable.Detail})
	}
	return h.fault("policy: " + err.Error())
}

func (h *hearing) question() *Question {
	q := &Question{
		Request: h.req, Identity: h.identity,
		Route: h.route.Name, Params: h.params, Entrypoint: h.route.Entrypoint, DecisionID: h.id,
	}
	if h.req.Entrypoint != "" {
		q.Entrypoint = h.req.Entrypoint
	}
	return q
}

func (h *hearing) note(stop, text string) {
	if h.req.Explain.On() {
		if text == "" {
			text = "default"
		}
		h.req.Explain.Note(stop, text)
	}
}
