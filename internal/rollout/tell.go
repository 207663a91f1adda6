package rollout

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// tellWithin bounds the evaluation that finds out which rules held.
const tellWithin = 100 * time.Millisecond

// maxRules bounds a line.
const maxRules = 20

// tell logs a difference: whose decision, and what the candidate would have
// done. No value of the request or of an answer is in it, but the names of
// consumer and route.
func (s *Shadow) tell(ctx context.Context, c *candidate, a *asked, found kind, live, next *answer) {
	attributes := []slog.Attr{
		slog.String("kind", kinds[found]), slog.String("decision_id", a.question.DecisionID),
		slog.String("route", a.question.Route), slog.String("entrypoint", a.question.Entrypoint),
		slog.String("consumer", consumerOf(a)), slog.String("code", string(live.code)), slog.String("candidate_code", string(next.code)),
		slog.String("policy", a.revision), slog.String("candidate", c.policy.Rules()),
	}
	if next.err != nil {
		first, _, _ := strings.Cut(next.err.Error(), "\n")
		attributes = append(attributes, slog.String("error", first))
	} else {
		rules := c.policy.Held(ctx, a.question, tellWithin)
		attributes = append(attributes, slog.Any("differs", differences(live, next)), slog.Any("rules", rules[:min(len(rules), maxRules)]))
	}
	s.options.Logger.LogAttrs(ctx, slog.LevelInfo, "the candidate policy decides otherwise", attributes...)
}

func consumerOf(a *asked) string {
	if id := a.question.Identity; id != nil && id.Consumer != nil {
		return id.Consumer.Name
	}
	return ""
}
