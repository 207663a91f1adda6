package gate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// confine rejects the proofs of consumers of an environment that the route does
// not believe. An ephemeral consumer has no environment and is not asked for
// one.
func (p *proven) confine(route *Route) {
	if len(route.Environments) == 0 {
		return
	}
	for i := range p.proofs {
		who := p.proofs[i].Identity.Consumer
		if !who.Ephemeral && !slices.Contains(route.Environments, who.Environment) {
			p.reject(p.proofs[i].kind, access.Invalid(fmt.Sprintf("consumer %s is of environment %q, which this route does not believe", who.Name, who.Environment)))
		}
	}
}

// doubt makes a fault of what rests on a store of consumers that was heard of
// too long ago: who was proven by it may be revoked, and who is unknown may be
// known by now.
func (p *proven) doubt(route *Route, staleness func() time.Duration) {
	if route.MaxStaleness == 0 || staleness == nil || !p.rests() {
		return
	}
	stale := staleness()
	if stale <= route.MaxStaleness {
		return
	}
	if p.rejection != nil && p.rejection.Unknown {
		p.rejection, p.rejected = nil, nil
	}
	if p.fault == nil {
		p.fault = errors.New(tooStale(stale, route.MaxStaleness))
	}
}

func tooStale(stale, most time.Duration) string {
	if stale == math.MaxInt64 {
		return "the store of consumers was not heard of yet"
	}
	return fmt.Sprintf("the store of consumers was last heard of %s ago; at most %s is allowed here", stale.Round(time.Millisecond), most)
}

// rests reports whether anything rests on what a store knows now.
func (p *proven) rests() bool {
	return p.rejection != nil && p.rejection.Unknown ||
		slices.ContainsFunc(p.proofs, func(found proof) bool { return found.Identity.Consumer.Stored })
}
