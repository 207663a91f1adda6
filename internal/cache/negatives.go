package cache

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// negativeWays is how many places a negative may stand in.
const negativeWays = 4

// negatives is a table of fixed size, apart from the values: however many bad
// keys come, only other negatives make room for them. It has no locks and no
// goroutines; of two that are put in one place at once, one is lost, which
// costs a load.
type negatives[V any] struct {
	slots []atomic.Pointer[entry[V]]
	ways  int
}

func newNegatives[V any](limit int) negatives[V] {
	ways := min(limit, negativeWays)
	if ways == 0 {
		return negatives[V]{}
	}
	return negatives[V]{slots: make([]atomic.Pointer[entry[V]], limit/ways*ways), ways: ways}
}

func (n *negatives[V]) get(key Key) *entry[V] {
	places := n.places(key)
	for i := range places {
		if e := places[i].Load(); e != nil && e.key == key {
			return e
		}
	}
	return nil
}

// put takes the key's own place, else an empty one, else that of the entry that
// would end first.
func (n *negatives[V]) put(e *entry[V], now time.Time) {
	places := n.places(e.key)
	best, bestEnd := -1, time.Time{}
	for i := range places {
		old := places[i].Load()
		if old != nil && old.key == e.key {
			best = i
			break
		}
		end := now
		if old != nil {
			end = old.until
		}
		if best < 0 || end.Before(bestEnd) {
			best, bestEnd = i, end
		}
	}
	if best >= 0 {
		places[best].Store(e)
	}
}

func (n *negatives[V]) places(key Key) []atomic.Pointer[entry[V]] {
	if n.ways == 0 {
		return nil
	}
	buckets := uint64(len(n.slots) / n.ways)
	first := int(binary.LittleEndian.Uint64(key[16:])%buckets) * n.ways
	return n.slots[first : first+n.ways]
}
