package telemetry

import (
	"context"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// Recorder counts verdicts, notes the duration of checks and writes decision
// lines: one for each denial, enforced or not, and fault, and for the sampled part of allows.
func (t *Telemetry) Recorder() gate.Recorder { return (*recorder)(t) }

type recorder Telemetry

func (r *recorder) Record(req *access.Request, verdict *access.Verdict, took time.Duration) {
	ctx, m := context.Background(), r.metrics
	m.stop(ctx, m.labels.check, took)
	m.verdicts.Add(ctx, 1, m.labels.verdict(verdict.Outcome(), verdict.Reason.Code, req.Door)...)
	if verdict.DryRun.Code != "" {
		m.dryRun.Add(ctx, 1, m.labels.door(req.Door)...)
	}
	r.decisions.note(req, verdict, took)
}
