package signature

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Nonces remembers what may happen once. It is called by many goroutines at
// once; package noncetest holds what every implementation must do.
type Nonces interface {
	// Once reports whether key comes for the first time, and remembers it up to
	// and including until, by the wall clock. Of any number of calls with one
	// key exactly one is told that it is the first. When until is over, none
	// is. An error means that nothing is known; ErrFull, that there is no room.
	Once(ctx context.Context, key [32]byte, until time.Time) (first bool, err error)
}

// ErrFull is the word of Nonces without room. Nothing is forgotten to make some
// before its time is over. It ends in a 429, and not in a fault: a client's
// flood must not become an open door where a gateway lets faults through.
var ErrFull = errors.New("no room for another nonce")

const (
	// nonceShards part the memory, so that requests rarely wait for each other.
	nonceShards = 64
	// bucketWidth is the time in which nonces end together. They are forgotten
	// up to so much later than they could be.
	bucketWidth = 30 * time.Second
	// retryWhenFull is when some nonces will have ended.
	retryWhenFull = bucketWidth
)

// Memory is Nonces in this process. A nonce takes about 64 bytes. It has no
// goroutine: each shard forgets when it is used.
type Memory struct {
	now    func() time.Time
	room   int
	shards [nonceShards]shard
}

// shard holds a part of the nonces, in buckets named by the second in which
// they end.
type shard struct {
	mu      sync.Mutex
	buckets map[int64]map[[32]byte]struct{}
	size    int
}

var _ Nonces = (*Memory)(nil)

// NewMemory makes a memory for limit nonces, rounded up to a multiple of 64.
// Under a limit of 0 it is always full. Keys must be digests: they are parted
// among the shards by their first byte, and a shard that is full refuses, which
// of a million comes less than one in a hundred early.
func NewMemory(limit int, now func() time.Time) *Memory {
	return &Memory{now: now, room: (max(limit, 0) + nonceShards - 1) / nonceShards}
}

// Once implements Nonces. It never waits, so it does not look at the context.
func (m *Memory) Once(_ context.Context, key [32]byte, until time.Time) (first bool, err error) {
	s := &m.shards[key[0]%nonceShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	// The clock is read under the lock: what one call took for over, and
	// forgot, no other takes for living.
	now := m.now()
	s.forget(now)
	switch {
	case now.After(until) || s.holds(key):
		return false, nil
	case s.size >= m.room:
		return false, ErrFull
	}
	s.add(key, until)
	return true, nil
}

// Len is how many nonces are held, some of which may be over.
func (m *Memory) Len() int {
	total := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		total += s.size
		s.mu.Unlock()
	}
	return total
}

func (s *shard) forget(now time.Time) {
	for end, bucket := range s.buckets {
		if now.Unix() >= end {
			s.size -= len(bucket)
			delete(s.buckets, end)
		}
	}
}

func (s *shard) holds(key [32]byte) bool {
	for _, bucket := range s.buckets {
		if _, there := bucket[key]; there {
			return true
		}
	}
	return false
}

// add puts a key into the bucket that ends after until.
func (s *shard) add(key [32]byte, until time.Time) {
	end := until.Truncate(bucketWidth).Add(bucketWidth).Unix()
	if s.buckets == nil {
		s.buckets = map[int64]map[[32]byte]struct{}{}
	}
	if s.buckets[end] == nil {
		s.buckets[end] = map[[32]byte]struct{}{}
	}
	s.buckets[end][key] = struct{}{}
	s.size++
}
