package serve

import (
	"context"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/policy"
)

// candidacy is what keeps the candidate up to date.
func (s *server) candidacy() *candidacy {
	return &candidacy{rollouts: s.reloader.builder.rollouts, builder: s.reloader.builder, inForce: &s.reloader.inForce}
}

// candidacy keeps the candidate that of the configuration in force and of its
// own files.
type candidacy struct {
	*rollouts
	builder *builder
	inForce *atomic.Pointer[built]
	last    *policy.Snapshot
	failure string
}

// load compiles the candidate and reports whether it is good. What is wrong with
// it shows in /readyz, a metric and the log, and changes nothing else.
func (c *candidacy) load(ctx context.Context) bool {
	current := c.inForce.Load()
	if current == nil || current.rules == nil || current.config.Policy.Shadow == nil {
		c.last, c.failure = nil, ""
		c.shadow.Fail(nil)
		return true
	}
	next, err := c.compile(ctx, current)
	if err != nil {
		c.refuse(err)
		return false
	}
	if c.last == nil || c.last.Rules() != next.Rules() || c.failure != "" {
		c.logger.Info("a candidate policy is asked beside the one in force", "candidate", next.Rules(), "policy", current.policy.Rules())
	}
	c.last, c.failure = next, ""
	c.beside.Store(besideOf(next, current))
	c.shadow.Set(next, current.config.Policy.Shadow.Sample, current.policy.Rules())
	return true
}

func (c *candidacy) refuse(err error) {
	if text := err.Error(); text != c.failure {
		c.failure = text
		c.logger.Error("the candidate policy can't be used and is not asked", "error", text)
	}
	c.shadow.Fail(err)
}

// compile makes the candidate as the policy in force is made, but of its own
// directory: with the same data files, and the same bundles where they stand
// beside a directory.
func (c *candidacy) compile(ctx context.Context, current *built) (*policy.Snapshot, error) {
	wanted := current.config.Policy
	o := c.builder.policyOptions(wanted)
	o.Directory, o.Memory, o.Last = wanted.Shadow.Directory, nil, c.last
	if wanted.Directory != "" && current.chosen != nil {
		o.Bundles = current.chosen.Bundles
	}
	return policy.Compile(ctx, o)
}

// sources are what the candidate was read from. A directory that is not there is
// waited for.
func (c *candidacy) sources() sources {
	current := c.inForce.Load()
	if current == nil || current.config.Policy.Shadow == nil {
		return sources{}
	}
	w, directory := newWatched(), current.config.Policy.Shadow.Directory
	if w.tree(directory); len(w.trees) == 0 {
		w.folder(existing(directory))
	}
	return w.sources()
}

// watch keeps the candidate up to date until ctx ends.
func (c *candidacy) watch(ctx context.Context) error {
	return watchFolders(ctx, c.logger, c.sources, c.poke, retry, func(bool) bool { return c.load(ctx) })
}
