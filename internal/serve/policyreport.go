package serve

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/postern-authz/postern/internal/rollout"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// PolicyReport tells which policy is in force.
type PolicyReport struct {
	Revision string `json:"revision,omitempty"`
	// Files is the revision of the policy's own files and bundles, where another
	// one is in force: it was promoted or rolled back to.
	Files  string     `json:"files_revision,omitempty"`
	Pinned *PinReport `json:"pinned,omitempty"`
	// Shadow is the candidate; absent: none is configured.
	Shadow *ShadowReport `json:"shadow,omitempty"`
}

// PinReport tells who put a revision in force.
type PinReport struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// ShadowReport tells of a candidate policy. One that can't be used does not make
// the process unready.
type ShadowReport struct {
	Revision string           `json:"revision,omitempty"`
	Error    string           `json:"error,omitempty"`
	Compared map[string]int64 `json:"compared,omitempty"`
	Dropped  int64            `json:"dropped,omitempty"`
}

// policyReport is nil before there are rules.
func (r *reloader) policyReport() *PolicyReport {
	current := r.inForce.Load()
	if current == nil || current.rules == nil {
		return nil
	}
	report := &PolicyReport{Revision: current.policy.Rules()}
	if pin := current.pin; pin != nil {
		report.Files, report.Pinned = current.filesRevision(), &PinReport{pin.By, pin.At}
	}
	if current.config.Policy.Shadow != nil {
		s := r.builder.rollouts.shadow.Report()
		report.Shadow = &ShadowReport{Revision: s.Revision, Error: s.Error, Compared: s.Compared, Dropped: s.Dropped}
	}
	return report
}

// Policy implements admin.Policies.
func (r *reloader) Policy() *adminv1.Policy {
	keeps := r.builder.rollouts.revisions != nil
	p := &adminv1.Policy{KeepsRevisions: &keeps}
	current := r.inForce.Load()
	if current == nil || current.rules == nil {
		return p
	}
	p.Revision, p.FilesRevision, p.Origin = current.policy.Rules(), current.filesRevision(), rollout.OfFiles
	p.FilesError = r.filesFailure()
	if pin := current.pin; pin != nil {
		p.Origin, p.Pin = pin.Origin, &adminv1.PolicyPin{Over: pin.Over, By: pin.By, At: timestamppb.New(pin.At)}
	}
	if current.config.Policy.Shadow != nil {
		p.Shadow = shadowMessage(r.builder.rollouts.shadow.Report())
	}
	return p
}

func shadowMessage(s rollout.Report) *adminv1.PolicyShadow {
	m := &adminv1.PolicyShadow{Revision: s.Revision, Error: s.Error, Against: s.Against}
	if s.Revision == "" {
		return m
	}
	count := func(kind string) *int64 {
		n := s.Compared[kind]
		return &n
	}
	m.Same, m.Changed, m.AllowToDeny, m.DenyToAllow = count("same"), count("changed"), count("allow_to_deny"), count("deny_to_allow")
	m.Errors, m.Timeouts, m.Dropped = count("error"), count("timeout"), &s.Dropped
	return m
}

// Revisions implements admin.Policies.
func (r *reloader) Revisions() []*adminv1.PolicyRevision {
	if r.builder.rollouts.revisions == nil {
		return nil
	}
	var all []*adminv1.PolicyRevision
	for _, kept := range r.builder.rollouts.revisions.List() {
		current := r.inForce.Load()
		inForce := current != nil && current.rules != nil && current.policy.Rules() == kept.Revision
		m := &adminv1.PolicyRevision{
			Revision: kept.Revision, InForce: &inForce, Origin: kept.Origin, By: kept.By, KeptAt: timestamppb.New(kept.KeptAt), Size: kept.Size,
		}
		if !kept.InForceAt.IsZero() {
			m.InForceAt = timestamppb.New(kept.InForceAt)
		}
		if !kept.RolledBackAt.IsZero() {
			m.RolledBackAt = timestamppb.New(kept.RolledBackAt)
		}
		all = append(all, m)
	}
	return all
}

// observeRollouts exports how bringing policies into force goes.
func (s *server) observeRollouts() error {
	r := s.reloader.builder.rollouts
	shadow := func() int64 { return number(r.shadow.Candidate() != nil) }
	pinned := func() int64 {
		current := s.reloader.inForce.Load()
		return number(current != nil && current.pin != nil)
	}
	for _, err := range []error{
		s.telemetry.ObserveNumber("postern.policy.shadow.ready", "1 when a candidate policy is asked beside the one in force; 0: none is configured, or it can't be used.", shadow),
		s.telemetry.ObserveNumber("postern.policy.pinned", "1 while another policy is in force than the files hold, since it was promoted or rolled back to.", pinned),
		s.telemetry.ObserveTotal("postern.policy.revisions.failures", "How often a policy revision, or which one is promoted, could not be written, since the start.", r.failures.Load),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
