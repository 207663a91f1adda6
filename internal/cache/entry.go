package cache

import (
	"sync/atomic"
	"time"
)

// entry is one remembered outcome. It never changes.
type entry[V any] struct {
	key   Key
	value V
	err   error // set on a negative
	// clock is what the clock of changes said before the load, and mark is where
	// the last change that ends this entry left its number.
	clock uint64
	mark  *atomic.Uint64
	// until ends it by the monotonic clock. expires ends it by the wall clock
	// and so holds no monotonic reading; zero leaves it to until.
	until, expires time.Time
}

// ended reports whether the entry's time has passed.
func (e *entry[V]) ended(now time.Time) bool {
	return !now.Before(e.until) || !e.expires.IsZero() && !now.Before(e.expires)
}
