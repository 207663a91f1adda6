package cache

import "sync/atomic"

// ownerStripes is how many owners are told apart: a ForgetOwner takes about one
// owner in so many with it.
const ownerStripes = 4096

// changes says when what was last forgotten. Its clock counts: every forgetting
// takes the next number and leaves it where those look whom it concerns. A load
// carries the clock as it was before the load, so whoever forgets first and asks
// then finds a higher number. It never grows, however many owners there are.
type changes struct {
	clock atomic.Uint64
	// all is the number of the last ForgetAll, owners those of the last
	// ForgetOwner by the owner's hash.
	all    atomic.Uint64
	owners [ownerStripes]atomic.Uint64
}

// forget moves a mark to the next number. Of two at once the higher one stays.
func (c *changes) forget(mark *atomic.Uint64) {
	number := c.clock.Add(1)
	for last := mark.Load(); last < number; last = mark.Load() {
		if mark.CompareAndSwap(last, number) {
			return
		}
	}
}

// of is the mark of an owner. What is nobody's has the clock itself for its
// mark: any change ends it.
func (c *changes) of(owner string) *atomic.Uint64 {
	if owner == "" {
		return &c.clock
	}
	return &c.owners[hash(owner)%ownerStripes]
}

// hash is FNV-1a, blind to the case of ASCII letters: names that differ in it
// alone are one name to somebody.
func hash(owner string) uint32 {
	h := uint32(2166136261)
	for i := range len(owner) {
		c := owner[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}
