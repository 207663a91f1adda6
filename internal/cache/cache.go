// Package cache is Ristretto made safe for what was proven: the full digest is
// compared on a hit, an entry that was loaded before its owner was forgotten
// can't come back after it, one load runs for many callers, and entries end by
// the clock.
//
// What is remembered as "no" lives in a table of its own, so that a flood of
// bad keys can't push out good ones. Errors that say nothing about the key,
// such as those of a store that is down, are never remembered.
package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// defaultLoadTimeout bounds a load whose Options name no bound.
const defaultLoadTimeout = 5 * time.Second

// Options say what a cache may hold, and for how long.
type Options[V any] struct {
	// MaxMemory bounds the remembered values, in bytes of their cost; the
	// bookkeeping beside it takes about a twentieth more. 0 switches the cache
	// off: every Fetch loads.
	MaxMemory int64
	// MaxNegatives bounds how many negatives are remembered; 0 remembers none.
	MaxNegatives int
	// TTL is how long a value counts after it was loaded, NegativeTTL how long
	// a negative does. Both run on the clock's monotonic reading, so that a
	// step of the wall clock neither ends nor prolongs them.
	TTL, NegativeTTL time.Duration
	// Negative says which errors of a load are an answer about the key ("there
	// is no such key") and may be remembered; nil means that none is.
	Negative func(error) bool
	// Owner names whose a value is, for ForgetOwner. "" is nobody's: such a value
	// rests on what there is not, as negatives do, so any change ends it. A nil
	// Owner leaves values to ForgetAll and their time.
	Owner func(V) string
	// Now is the clock.
	Now func() time.Time
	// LoadTimeout bounds one load, whoever waits for it; 0 means 5 seconds.
	LoadTimeout time.Duration
}

func (o Options[V]) check() error {
	switch {
	case o.MaxMemory < 0:
		return fmt.Errorf("cache: max memory is %d, want 0 (off) or more", o.MaxMemory)
	case o.MaxNegatives < 0:
		return fmt.Errorf("cache: max negatives is %d, want 0 or more", o.MaxNegatives)
	case o.MaxMemory > 0 && o.TTL <= 0:
		return fmt.Errorf("cache: ttl is %v, want more than 0", o.TTL)
	case o.NegativeTTL < 0:
		return fmt.Errorf("cache: negative ttl is %v, want 0 (none) or more", o.NegativeTTL)
	case o.LoadTimeout < 0:
		return fmt.Errorf("cache: load timeout is %v, want 0 (5s) or more", o.LoadTimeout)
	case o.Now == nil:
		return errors.New("cache: no clock")
	}
	return nil
}

// Loaded is what a load found.
type Loaded[V any] struct {
	Value V
	// Expires ends the entry by the wall clock, before the TTL does; zero
	// leaves it to the TTL. One that has passed is not remembered.
	Expires time.Time
	// Cost is how many bytes the value holds, roughly; small ones count as
	// half a kilobyte.
	Cost int64
}

// Cache remembers values by digest. It is used by many goroutines at once; a
// hit allocates nothing and takes only locks that are striped by digest.
type Cache[V any] struct {
	options  Options[V]
	changes  changes
	flights  flights[V]
	good     *store[V] // nil: the cache is off
	bad      negatives[V]
	counters counters
}

// New makes a cache. Its owner closes it.
func New[V any](o Options[V]) (*Cache[V], error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = defaultLoadTimeout
	}
	c := &Cache[V]{options: o}
	if o.MaxMemory == 0 {
		return c, nil
	}
	c.bad = newNegatives[V](o.MaxNegatives)
	var err error
	c.good, err = openStore(o.MaxMemory, o.TTL, c.evicted)
	return c, err
}

// Get returns what is remembered. ok with an error is a remembered negative.
func (c *Cache[V]) Get(key Key) (v V, err error, ok bool) { //nolint:revive // ok says whether there is an answer, of which err is a part
	e := c.find(key)
	if e == nil {
		return v, nil, false
	}
	c.counters.hit(key, e.err != nil)
	return e.value, e.err, true
}

// Fetch returns what is remembered, or else loads it, once for all who ask at
// the same time. Each waits only as long as its own context lives, the one who
// began the load too; the load goes on for the others, up to the load timeout. A
// load that was begun before a change is not shared with callers that come after
// it.
func (c *Cache[V]) Fetch(ctx context.Context, key Key, load func(context.Context) (Loaded[V], error)) (V, error) {
	if v, err, ok := c.Get(key); ok {
		return v, err
	}
	c.counters.miss(key)
	if c.good == nil {
		loaded, err := load(ctx)
		return loaded.Value, err
	}
	return c.fly(ctx, ticket{key, c.changes.clock.Load()}, load)
}

// ForgetOwner makes sure that no value of that owner, nobody's value and no
// negative which was loaded before it is served to a Fetch or Get that begins
// after it. Owners that differ in the case of ASCII letters alone are one.
// Values of some other owners, by hash, are forgotten with it.
func (c *Cache[V]) ForgetOwner(owner string) { c.changes.forget(c.changes.of(owner)) }

// ForgetAll is the same for all that is remembered.
func (c *Cache[V]) ForgetAll() { c.changes.forget(&c.changes.all) }

// Close ends the cache's goroutines. A closed cache is one that is off.
func (c *Cache[V]) Close() {
	if c.good != nil {
		c.good.close()
	}
}

// find returns the entry that counts now, or nil.
func (c *Cache[V]) find(key Key) *entry[V] {
	if c.good == nil {
		return nil
	}
	if e := c.good.get(key); c.counts(key, e) {
		return e
	}
	if e := c.bad.get(key); c.counts(key, e) {
		return e
	}
	return nil
}

// counts reports whether an entry is of this very key, not forgotten and not
// yet at its end.
func (c *Cache[V]) counts(key Key, e *entry[V]) bool {
	return e != nil && e.key == key && c.current(e) && !e.ended(c.options.Now())
}

// current reports whether nothing that ends the entry has happened since its
// load began.
func (c *Cache[V]) current(e *entry[V]) bool {
	return e.mark.Load() <= e.clock && c.changes.all.Load() <= e.clock
}

// remember keeps the outcome of a load that began at the ticket's clock. One
// that a change has overtaken is kept out: nobody would be served it.
func (c *Cache[V]) remember(t ticket, loaded Loaded[V], err error) {
	e := &entry[V]{key: t.key, clock: t.clock, err: err, mark: &c.changes.clock}
	now := c.options.Now()
	switch {
	case err == nil:
		e.value, e.mark, e.until, e.expires = loaded.Value, c.mark(loaded.Value), now.Add(c.options.TTL), loaded.Expires.Round(0)
		if c.counts(t.key, e) {
			c.good.put(e, loaded.Cost)
		}
	case c.options.Negative != nil && c.options.Negative(err):
		e.until = now.Add(c.options.NegativeTTL)
		if c.counts(t.key, e) {
			c.bad.put(e, now)
		}
	}
}

// mark is where the changes that end a value leave their number.
func (c *Cache[V]) mark(value V) *atomic.Uint64 {
	if c.options.Owner == nil {
		return &c.changes.all
	}
	return c.changes.of(c.options.Owner(value))
}

// evicted counts entries that had to go before their time, for want of room.
func (c *Cache[V]) evicted(item *ristretto.Item[*entry[V]]) {
	if e := item.Value; e != nil && c.counts(e.key, e) {
		c.counters.evictions.Add(1)
	}
}
