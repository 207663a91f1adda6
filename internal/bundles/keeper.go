package bundles

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"
)

// Deps are what following bundles stands on.
type Deps struct {
	// Directory is where bundles that were fetched are kept; empty: nowhere.
	Directory string
	Logger    *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Spread gives numbers from 0 to 1 that differ between processes.
	Spread func() float64

	limits limits
}

// Keeper owns what follows bundles, across reloads: a bundle whose
// configuration is unchanged is followed on.
type Keeper struct {
	deps    Deps
	ctx     context.Context
	end     context.CancelFunc
	changed chan struct{}

	mu sync.Mutex
	// wanted is the set asked for last, and inForce what is put in force.
	wanted, inForce *Set
}

// NewKeeper makes a keeper of no bundles. It is closed by Close.
func NewKeeper(d Deps) *Keeper {
	if d.limits == (limits{}) {
		d.limits = usualLimits()
	}
	k := &Keeper{deps: d, changed: make(chan struct{}, 1), wanted: &Set{}, inForce: &Set{}}
	k.ctx, k.end = context.WithCancel(context.Background())
	return k
}

// Changed tells that a bundle has a newer content than was chosen from last.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

func (k *Keeper) tell() {
	select {
	case k.changed <- struct{}{}:
	default: // it was told already
	}
}

// Want follows the bundles of configs, and gives them as a set. What is
// followed already goes on; what neither this set nor the one in force needs
// ends. Its error tells of every configuration that is wrong.
func (k *Keeper) Want(configs []Config) (*Set, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, errs := &Set{keeper: k}, []error(nil)
	for _, c := range configs {
		s := k.find(c)
		if s == nil {
			var err error
			if s, err = newSource(k.ctx, c, k.deps, k.tell); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		next.sources = append(next.sources, s)
	}
	if err := errors.Join(errs...); err != nil {
		closeUnless(next, k.wanted, k.inForce)
		return nil, err
	}
	last := k.wanted
	k.wanted = next
	closeUnless(last, next, k.inForce)
	return next, nil
}

// find is the source of an equal configuration.
func (k *Keeper) find(c Config) *source {
	for _, set := range []*Set{k.wanted, k.inForce} {
		for _, s := range set.sources {
			if reflect.DeepEqual(s.config, c) {
				return s
			}
		}
	}
	return nil
}

// putInForce ends what the set before needed alone.
func (k *Keeper) putInForce(s *Set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.inForce
	k.inForce = s
	closeUnless(last, s, k.wanted)
}

// closeUnless ends the sources of a set that none of others has.
func closeUnless(set *Set, others ...*Set) {
	for _, s := range set.sources {
		kept := false
		for _, other := range others {
			kept = kept || other.has(s)
		}
		if !kept {
			s.close()
		}
	}
}

// Ask has every bundle looked at now, and files read whatever they look like.
func (k *Keeper) Ask() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.wanted.sources {
		s.anew.Store(true)
		s.nudge()
	}
}

// Reports tell of the bundles wanted last.
func (k *Keeper) Reports() []Report {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	reports := make([]Report, len(k.wanted.sources))
	for i, s := range k.wanted.sources {
		reports[i] = s.state()
	}
	return reports
}

// Close ends all. It may be called twice.
func (k *Keeper) Close() {
	if k == nil {
		return
	}
	k.end()
	k.mu.Lock()
	defer k.mu.Unlock()
	closeUnless(k.wanted)
	closeUnless(k.inForce, k.wanted)
	k.wanted, k.inForce = &Set{}, &Set{}
}
