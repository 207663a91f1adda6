package rollout

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
)

// kind is how a candidate's answer differs.
type kind int

// The kinds: the same; the same verdict with other headers, status or body; the
// other verdict; and what the candidate could not answer, or not in time.
const (
	same kind = iota
	changed
	allowToDeny
	denyToAllow
	failed
	overrun
)

// kinds are their names in metrics, logs and answers.
var kinds = [...]string{same: "same", changed: "changed", allowToDeny: "allow_to_deny", denyToAllow: "deny_to_allow", failed: "error", overrun: "timeout"}

// answer is what a policy made of a question.
type answer struct {
	access.Decision
	err  error
	code access.Code
}

// answerOf reads a decision as the gate does: what can't be read of a request is
// a denial with 400, and any other error a fault, which lets nobody through.
func answerOf(d access.Decision, err error) answer {
	var unreadable *access.Unreadable
	switch {
	case errors.As(err, &unreadable):
		return answer{Decision: access.Decision{Status: http.StatusBadRequest}, code: access.CodeMalformedRequest}
	case err != nil:
		return answer{err: err, code: access.CodeFault}
	case d.Allowed:
		return answer{Decision: d, code: access.CodeAllowed}
	}
	return answer{Decision: d, code: access.CodeDeniedByPolicy}
}

// kindOf compares the answer of the policy in force with the candidate's.
func kindOf(live, next *answer) kind {
	var late *policy.Overrun
	switch {
	case errors.As(next.err, &late):
		return overrun
	case next.err != nil:
		return failed
	case live.Allowed && !next.Allowed:
		return allowToDeny
	case !live.Allowed && next.Allowed:
		return denyToAllow
	case len(differences(live, next)) > 0:
		return changed
	}
	return same
}

// differences names the parts of two answers that differ, never their values.
func differences(live, next *answer) (names []string) {
	a, b := &live.Decision, &next.Decision
	for _, part := range []struct {
		name  string
		alike bool
	}{
		{"code", live.code == next.code},
		{"allowed", a.Allowed == b.Allowed},
		{"status", a.Status == b.Status},
		{"body", a.HasBody == b.HasBody && a.Body == b.Body},
		{"headers", slices.Equal(a.Headers, b.Headers)},
		{"response_headers", slices.Equal(a.ResponseHeaders, b.ResponseHeaders)},
		{"removed_headers", slices.Equal(a.RemoveHeaders, b.RemoveHeaders)},
		{"query", slices.Equal(a.SetQuery, b.SetQuery) && slices.Equal(a.RemoveQuery, b.RemoveQuery)},
		{"metadata", len(a.Metadata) == 0 && len(b.Metadata) == 0 || reflect.DeepEqual(a.Metadata, b.Metadata)},
	} {
		if !part.alike {
			names = append(names, part.name)
		}
	}
	return names
}

// compare asks the candidate what the policy in force was asked.
func (s *Shadow) compare(ctx context.Context, c *candidate, a *asked) {
	defer s.survive()
	if a.revision != c.against { // decided on before a swap
		return
	}
	live, next := answerOf(a.decision, a.err), answerOf(c.policy.Decide(ctx, a.question))
	if ctx.Err() != nil { // it was ended, and says nothing
		return
	}
	found := kindOf(&live, &next)
	c.kinds[found].Add(1)
	s.options.Meter.Compared(kinds[found], string(next.code), routeName(a.question.Route))
	if found != same && s.pace.Allow(s.options.Now()) {
		s.tell(ctx, c, a, found, &live, &next)
	}
}

// survive keeps a fault of the comparison from being one of the process.
func (s *Shadow) survive() {
	if cause := recover(); cause != nil {
		s.options.Logger.Error("asking the candidate policy panicked", "panic", access.PanicText(cause))
	}
}

// routeName is a route's name in metrics and logs.
func routeName(route string) string {
	if route == "" {
		return "(default)"
	}
	return route
}
