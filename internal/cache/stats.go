package cache

import "sync/atomic"

// Stats is what a cache has done since it was made.
type Stats struct {
	// Hits are answers from memory, Negatives those among the answers from
	// memory that were a no; they are not among the Hits. Misses are fetches
	// that had to load, or to wait for a load.
	Hits, Misses, Negatives uint64
	// Evictions are values that had to go before their time, for want of room.
	Evictions uint64
	// Bytes is what the values cost together now.
	Bytes int64
}

// counterStripes spreads the counting, so that requests with different keys
// don't write to the same cache line.
const counterStripes = 64

type counters struct {
	stripes [counterStripes]struct {
		hits, misses, negatives atomic.Uint64
		_                       [40]byte
	}
	evictions atomic.Uint64
}

func (c *counters) hit(key Key, negative bool) {
	s := &c.stripes[key[12]%counterStripes]
	if negative {
		s.negatives.Add(1)
		return
	}
	s.hits.Add(1)
}

func (c *counters) miss(key Key) { c.stripes[key[12]%counterStripes].misses.Add(1) }

// Stats returns the counts so far.
func (c *Cache[V]) Stats() Stats {
	stats := Stats{Evictions: c.counters.evictions.Load()}
	for i := range c.counters.stripes {
		s := &c.counters.stripes[i]
		stats.Hits += s.hits.Load()
		stats.Misses += s.misses.Load()
		stats.Negatives += s.negatives.Load()
	}
	if c.good != nil {
		stats.Bytes = c.good.bytes()
	}
	return stats
}
