package telemetry

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/redact"
)

// The longest that a part of a decision line may be, in bytes.
const (
	maxName   = 256
	maxPath   = 512
	maxDetail = 1024
)

// line is one decision, as the log tells of it. Of the request it holds the
// method, the canonical host and path and who asked: no header, no query, no
// body.
type line struct {
	outcome                             access.Outcome
	code                                access.Code
	door                                access.Door
	status                              int
	decision, detail, revision, request string
	route, method, host, path           string
	consumer, credential                string
	client                              netip.Addr
	took                                time.Duration
	// warnings is what policy asked for and did not get.
	warnings []string
	// dryRun says that code and detail are of a denial that was not enforced.
	dryRun bool
}

func newLine(req *access.Request, v *access.Verdict, took time.Duration) line {
	l := line{
		outcome: v.Outcome(), code: v.Reason.Code, door: req.Door, status: v.Status,
		decision: v.DecisionID, detail: v.Reason.Detail, revision: v.Revision, request: req.ID,
		route: v.Route, method: req.Method, host: req.Host, path: req.Path,
		client: req.Client, took: took, warnings: v.Warnings,
	}
	if v.DryRun.Code != "" {
		l.code, l.detail, l.dryRun = v.DryRun.Code, v.DryRun.Detail, true
	}
	if v.Identity != nil && v.Identity.Consumer != nil {
		l.consumer = v.Identity.Consumer.Name
	}
	if v.Identity != nil && v.Identity.Credential != nil {
		l.credential = v.Identity.Credential.ID
	}
	return l
}

func (l *line) write(logger *slog.Logger) {
	for _, warning := range l.warnings {
		logger.LogAttrs(context.Background(), slog.LevelWarn, "policy asked for what it does not get",
			slog.String("decision_id", cut(l.decision, maxName)), slog.String("detail", safe(warning, maxDetail)))
	}
	level, message := slog.LevelInfo, "request denied"
	switch {
	case l.dryRun:
		level, message = slog.LevelWarn, "request denied by policy and let through: dry run"
	case l.outcome == access.Allowed:
		message = "request allowed"
	case l.outcome == access.Faulted:
		level, message = slog.LevelError, "request faulted"
	}
	attributes := []slog.Attr{
		slog.String("decision_id", cut(l.decision, maxName)), slog.String("outcome", l.outcome.String()),
		slog.String("code", string(l.code)), slog.Int("status", l.status), slog.String("detail", safe(l.detail, maxDetail)),
		slog.String("door", string(l.door)), slog.String("route", cut(l.route, maxName)),
		slog.String("method", safe(l.method, maxName)), slog.String("host", safe(l.host, maxName)),
		slog.String("path", safe(l.path, maxPath)), slog.String("client", address(l.client)),
		slog.String("consumer", cut(l.consumer, maxName)), slog.String("credential", cut(l.credential, maxName)),
		slog.String("revision", cut(l.revision, maxName)), slog.Int64("took_us", l.took.Microseconds()),
		slog.String("request_id", safe(l.request, maxName)),
	}
	if l.dryRun {
		attributes = append(attributes, slog.Bool("dry_run", true))
	}
	logger.LogAttrs(context.Background(), level, message, attributes...)
}

// safe is what clients write, without what may be a credential of theirs.
func safe(text string, length int) string { return cut(redact.Text(text), length) }

// address is empty where the peer had none: a Unix socket.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
