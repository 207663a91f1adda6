package rollout

import (
	"sync/atomic"

	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/telemetry"
)

// candidate is a policy that is asked beside the one in force.
type candidate struct {
	policy *policy.Snapshot
	sample telemetry.Sampler
	// against is the revision in force that it is compared with.
	against string
	*counts
}

// counts are of one candidate beside one policy in force.
type counts struct {
	kinds   [len(kinds)]atomic.Int64
	dropped atomic.Int64
}

func newCandidate(p *policy.Snapshot, sample float64, inForce string) *candidate {
	return &candidate{policy: p, sample: telemetry.NewSampler(sample), against: inForce, counts: &counts{}}
}

// Report tells of the candidate.
type Report struct {
	// Revision is empty while there is no candidate.
	Revision string
	// Error is why there is none though one is wanted.
	Error string
	// Against is the revision in force that it is compared with, and Compared how
	// often that was done, by kind. Dropped were left out for want of room.
	Against  string
	Compared map[string]int64
	Dropped  int64
}

// Report tells of the candidate as it is now.
func (s *Shadow) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, c := s.report, s.candidate.Load()
	if c == nil {
		return r
	}
	r.Revision, r.Against, r.Dropped, r.Compared = c.policy.Rules(), c.against, c.dropped.Load(), map[string]int64{}
	for i, kind := range kinds {
		r.Compared[kind] = c.kinds[i].Load()
	}
	return r
}
