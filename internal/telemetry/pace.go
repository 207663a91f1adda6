package telemetry

import (
	"math"
	"sync/atomic"
	"time"
)

// Pace lets a number of events a second through, with a burst of one second's
// worth. It is the generic cell rate algorithm on one atomic word: next is the
// time, in Unix nanoseconds, at which the bucket would be full again.
type Pace struct {
	next     atomic.Int64
	interval int64
	burst    int64
}

// NewPace lets that many a second through.
func NewPace(perSecond int64) Pace {
	return Pace{interval: int64(time.Second) / perSecond, burst: int64(time.Second)}
}

// Allow reports whether an event at a time goes through.
func (p *Pace) Allow(at time.Time) bool {
	now := at.UnixNano()
	for {
		old := p.next.Load()
		next := max(old, now) + p.interval
		if next-now > p.burst {
			// A clock that was set back must not silence the log.
			if old-now <= p.burst || !p.next.CompareAndSwap(old, now) {
				return false
			}
			continue
		}
		if p.next.CompareAndSwap(old, next) {
			return true
		}
	}
}

// Sampler chooses a part of decision ids: the same ones on every instance.
type Sampler struct{ threshold uint64 }

// NewSampler takes a part of them, from 0 to 1.
func NewSampler(part float64) Sampler {
	switch {
	case !(part > 0): // NaN too
		return Sampler{}
	case part >= 1:
		return Sampler{math.MaxUint64}
	}
	return Sampler{uint64(part * (1 << 63) * 2)}
}

// Takes reports whether an id is of that part.
func (s Sampler) Takes(id string) bool {
	return s.threshold != 0 && scatter(id) <= s.threshold
}

// scatter is FNV-1a with the finalizer of MurmurHash3: FNV alone leaves the
// high bits of short, similar ids alike.
func scatter(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
