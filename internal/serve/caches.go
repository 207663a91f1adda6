package serve

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/telemetry"
)

// maxNegatives bounds how many unknown credentials are remembered; each takes
// about a hundred bytes.
const maxNegatives = 16 << 10

// caches share cache.max_memory: half for what was proven, half for what
// policy decided.
type caches struct {
	proofs    *cache.Cache[*access.Identity]
	decisions *cache.Cache[access.Decision]
}

// openCaches makes them; both are off when max_memory is 0.
func openCaches(c config.Cache, now func() time.Time) (*caches, error) {
	proofs, err := cache.New[*access.Identity](cache.Options{
		MaxMemory: c.MaxMemory / 2, MaxNegatives: maxNegatives, TTL: c.TTL, NegativeTTL: c.NegativeTTL,
		Negative: isRejection, Now: now,
	})
	if err != nil {
		return nil, err
	}
	decisions, err := cache.New[access.Decision](cache.Options{MaxMemory: c.MaxMemory / 2, TTL: c.TTL, Now: now})
	if err != nil {
		proofs.Close()
		return nil, err
	}
	return &caches{proofs, decisions}, nil
}

func (c *caches) close() {
	if c != nil {
		c.proofs.Close()
		c.decisions.Close()
	}
}

// isRejection reports that an error is an answer about the credential, not
// about the store.
func isRejection(err error) bool {
	var rejection *access.Rejection
	return errors.As(err, &rejection)
}

// openTelemetry maps the configuration to telemetry's options.
func openTelemetry(ctx context.Context, c config.Telemetry, o Options) (*telemetry.Telemetry, error) {
	return telemetry.Open(ctx, telemetry.Options{
		Version: o.Version, LogLevel: c.LogLevel, LogFormat: c.LogFormat, LogWriter: o.Stderr,
		OTLPEndpoint: c.OTLPEndpoint, AllowSample: c.AllowSample, Now: time.Now,
		Env: func(name string) string { value, _ := o.Env(name); return value },
	})
}

// observe exports the state of what telemetry does not decorate.
func (s *server) observe() {
	s.telemetry.ObserveCache("proofs", s.caches.proofs.Stats)
	s.telemetry.ObserveCache("decisions", s.caches.decisions.Stats)
	s.telemetry.ObserveRules("rules", func() telemetry.RulesState {
		r := s.status.read()
		return telemetry.RulesState{Revision: r.Revision, LoadedAt: r.LoadedAt, Good: r.ReloadError == ""}
	})
	s.telemetry.ObserveIssuers(s.issuerStates)
}

func (s *server) issuerStates() []telemetry.IssuerState {
	var states []telemetry.IssuerState
	for _, r := range s.status.read().Issuers {
		states = append(states, telemetry.IssuerState{Name: r.Name, Ready: r.Ready, Keys: r.Keys, FetchedAt: r.LastSuccess})
	}
	return states
}
