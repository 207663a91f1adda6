package telemetry

import (
	"math"
	"sync/atomic"
	"time"
)

// pace lets a number of events a second through, with a burst of one second's
// worth. It is the generic cell rate algorithm on one atomic word: next is the
// time, in Unix nanoseconds, at which the bucket would be full again.
type pace struct {
	next     atomic.Int64
	interval int64
	burst    int64
}

func newPace(perSecond int64) pace {
	return pace{interval: int64(time.Second) / perSecond, burst: int64(time.Second)}
}

func (p *pace) allow(at time.Time) bool {
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

// sampler chooses a part of decision ids: the same ones on every instance.
type sampler struct{ threshold uint64 }

func newSampler(part float64) sampler {
	switch {
	case !(part > 0): // NaN too
		return sampler{}
	case part >= 1:
		return sampler{math.MaxUint64}
	}
	return sampler{uint64(part * (1 << 63) * 2)}
}

func (s sampler) takes(id string) bool {
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
