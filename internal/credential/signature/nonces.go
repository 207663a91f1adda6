package signature

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"
)

// Nonces remembers what may happen once. It is called by many goroutines at
// once; package noncetest holds what every implementation must do.
type Nonces interface {
	// Once reports whether nonce comes for the first time, and remembers it up to
	// and including until, by the wall clock. Of any number of calls with one
	// nonce exactly one is told that it is the first. When until is over, none
	// is. An error means that nothing is known; ErrFull, that there is no room.
	//
	// Signer is who asks: one that takes all it can get leaves others room. Nonces
	// of two signers differ, so that it is no part of their names.
	Once(ctx context.Context, signer string, nonce [32]byte, until time.Time) (first bool, err error)
}

// ErrFull is the word of Nonces without room for a signer. Nothing is forgotten to make some
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

// share is how many times what is free a signer may hold. One alone gets four
// fifths of the memory, two get four ninths each, and whoever comes later still
// finds room: bounds that follow what is free share a memory in which nothing
// can be taken back from the greedy (dynamic thresholds, Choudhury and Hahne).
const share = 4

// Memory is Nonces in this process. A nonce takes about 64 bytes, and half as
// much again where every one is another signer's. It has no goroutine: each
// shard forgets when it is used.
type Memory struct {
	now    func() time.Time
	room   int
	seed   maphash.Seed
	shards [nonceShards]shard
}

// signer stands for a key id. Two that share one by chance, which nobody can
// bring about, share their part of the memory.
type signer uint64

// shard holds a part of the nonces, in buckets named by the second in which
// they end.
type shard struct {
	mu      sync.Mutex
	buckets map[int64]*bucket
	size    int
	held    map[signer]int // how many of size are whose
}

type bucket struct {
	nonces map[[32]byte]struct{}
	held   map[signer]int
}

var _ Nonces = (*Memory)(nil)

// NewMemory makes a memory for limit nonces, rounded up to a multiple of 64.
// Under a limit of 0 it is always full. Nonces must be digests: they are parted
// among the shards by their first byte, and a shard that is full refuses, which
// of a million comes less than one in a hundred early.
func NewMemory(limit int, now func() time.Time) *Memory {
	return &Memory{now: now, room: (max(limit, 0) + nonceShards - 1) / nonceShards, seed: maphash.MakeSeed()}
}

// Once implements Nonces. It never waits, so it does not look at the context.
func (m *Memory) Once(_ context.Context, keyID string, nonce [32]byte, until time.Time) (first bool, err error) {
	by := signer(maphash.String(m.seed, keyID))
	s := &m.shards[nonce[0]%nonceShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	// The clock is read under the lock: what one call took for over, and
	// forgot, no other takes for living.
	now := m.now()
	s.forget(now)
	switch {
	case now.After(until) || s.holds(nonce):
		return false, nil
	case s.held[by] >= share*(m.room-s.size):
		return false, ErrFull
	}
	s.add(by, nonce, until)
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
	for end, b := range s.buckets {
		if now.Unix() < end {
			continue
		}
		delete(s.buckets, end)
		s.size -= len(b.nonces)
		for by, n := range b.held {
			if s.held[by] -= n; s.held[by] == 0 {
				delete(s.held, by)
			}
		}
	}
}

func (s *shard) holds(nonce [32]byte) bool {
	for _, b := range s.buckets {
		if _, there := b.nonces[nonce]; there {
			return true
		}
	}
	return false
}

// add puts a nonce into the bucket that ends after until.
func (s *shard) add(by signer, nonce [32]byte, until time.Time) {
	end := until.Truncate(bucketWidth).Add(bucketWidth).Unix()
	if s.buckets == nil {
		s.buckets, s.held = map[int64]*bucket{}, map[signer]int{}
	}
	b := s.buckets[end]
	if b == nil {
		b = &bucket{nonces: map[[32]byte]struct{}{}, held: map[signer]int{}}
		s.buckets[end] = b
	}
	b.nonces[nonce] = struct{}{}
	b.held[by]++
	s.held[by]++
	s.size++
}
