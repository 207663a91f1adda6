package serve

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/telemetry"
)

// openTelemetry maps the configuration to telemetry's options.
func openTelemetry(ctx context.Context, c config.Telemetry, o Options) (*telemetry.Telemetry, error) {
	return telemetry.Open(ctx, telemetry.Options{
		Version: o.Version, LogLevel: c.LogLevel, LogFormat: c.LogFormat, LogWriter: o.Stderr,
		OTLPEndpoint: string(c.OTLPEndpoint.Reveal()), AllowSample: c.AllowSample, Now: time.Now,
		Env: func(name string) string { value, _ := o.Env(name); return value },
	})
}

// observe exports the state of what telemetry does not decorate.
func (s *server) observe() error {
	s.telemetry.ObserveCache("proofs", s.caches.proofs.Stats)
	s.telemetry.ObserveCache("decisions", s.caches.decisions.Stats)
	s.telemetry.ObserveCache("assertions", s.caches.assertions.Stats)
	s.telemetry.ObserveRules("rules", func() telemetry.RulesState {
		r := s.status.read()
		return telemetry.RulesState{Revision: r.Revision, LoadedAt: r.LoadedAt, Good: r.ReloadError == ""}
	})
	s.telemetry.ObserveIssuers(s.issuerStates)
	s.telemetry.ObserveIntrospection(s.introspectionStates)
	return errors.Join(s.observeBundles(), s.observePasswords(), s.observeRollouts(), s.observeStore(), s.observeJournal(s.telemetry.ObserveTotal))
}

// observeStore exports how far this process is behind the store of consumers.
func (s *server) observeStore() error {
	if s.ledger == nil {
		return nil
	}
	state := s.ledger.replica.State
	return errors.Join(
		s.telemetry.ObserveNumber("postern.store.sequence", "The last change of the store of consumers that is applied here.", func() int64 { return int64(state().Sequence) }),
		s.telemetry.ObserveNumber("postern.store.staleness_ms", "Milliseconds since it was last certain that no change is missing; -1 before the store was reached.", func() int64 {
			now := state()
			if !now.Begun {
				return -1
			}
			return now.Staleness.Milliseconds()
		}),
		s.telemetry.ObserveNumber("postern.store.uses_dropped", "Uses of credentials that were not written, for want of room, since the start.", func() int64 { return state().DroppedUses }),
	)
}

// observePasswords exports how busy the verification of passwords is.
func (s *server) observePasswords() error {
	state := s.reloader.builder.verifier.State
	return errors.Join(
		s.telemetry.ObserveNumber("postern.passwords.running", "Passwords that are being verified.", func() int64 { return int64(state().Running) }),
		s.telemetry.ObserveNumber("postern.passwords.waiting", "Passwords that wait to be verified.", func() int64 { return int64(state().Waiting) }),
		s.telemetry.ObserveNumber("postern.passwords.refused", "Passwords that were not looked at since the start, for want of room.", func() int64 {
			return int64(min(state().Refused, math.MaxInt64))
		}),
	)
}

func (s *server) issuerStates() []telemetry.IssuerState {
	var states []telemetry.IssuerState
	for _, r := range s.status.read().Issuers {
		states = append(states, telemetry.IssuerState{Name: r.Name, Ready: r.Ready, Keys: r.Keys, FetchedAt: r.LastSuccess})
	}
	return states
}

func (s *server) introspectionStates() []telemetry.IntrospectionState {
	r := s.status.read().Introspection
	if r == nil {
		return nil
	}
	return []telemetry.IntrospectionState{{
		Name: r.Name, Open: r.Open, InFlight: r.InFlight, Requests: r.Requests, Failures: r.Failures, AnsweredAt: r.LastSuccess,
	}}
}
