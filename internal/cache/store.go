package cache

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/dgraph-io/ristretto/v2"
)

// storeGates is how many locks keep Close away from readers.
const storeGates = 64

// minCost is what a value costs at least, in bytes.
const minCost = 512

// store is Ristretto with entries for values. Its key is a part of the digest:
// two digests may share one, so the caller compares the whole.
//
// Ristretto may not be used while it is closed, not even read, and says so with
// a panic; hence the gates.
type store[V any] struct {
	ristretto *ristretto.Cache[uint64, *entry[V]]
	ttl       time.Duration
	gates     [storeGates]gate
}

// gate is a lock for readers and one stripe of keys, alone on its cache line.
type gate struct {
	sync.RWMutex
	closed bool
	_      [32]byte
}

func openStore[V any](maxMemory int64, ttl time.Duration, evicted func(*ristretto.Item[*entry[V]])) (*store[V], error) {
	r, err := ristretto.NewCache(&ristretto.Config[uint64, *entry[V]]{
		// Ten counters an entry, as Ristretto advises, for entries of 1000 bytes.
		NumCounters: min(max(maxMemory/100, 1_000), 10_000_000),
		MaxCost:     maxMemory,
		BufferItems: 64,
		OnEvict:     evicted,
		KeyToHash:   func(k uint64) (uint64, uint64) { return k, 0 },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &store[V]{ristretto: r, ttl: ttl}, nil
}

func (s *store[V]) get(key Key) *entry[V] {
	g := s.gate(key)
	g.RLock()
	defer g.RUnlock()
	if g.closed {
		return nil
	}
	e, _ := s.ristretto.Get(short(key))
	return e
}

// put returns when the entry can be seen, or was not admitted: Ristretto alone
// would show it some time later. The time to live that Ristretto is told only
// makes room; whether an entry counts is not its to say.
func (s *store[V]) put(e *entry[V], cost int64) {
	g := s.gate(e.key)
	g.RLock()
	defer g.RUnlock()
	if g.closed {
		return
	}
	size := max(cost, minCost) + int64(unsafe.Sizeof(*e))
	if s.ristretto.SetWithTTL(short(e.key), e, size, s.ttl) {
		s.ristretto.Wait()
	}
}

// bytes is what the entries cost together.
func (s *store[V]) bytes() int64 {
	return s.ristretto.MaxCost() - s.ristretto.RemainingCost()
}

// close waits for those who are inside, and lets nobody in again.
func (s *store[V]) close() {
	closed := false
	for i := range s.gates {
		s.gates[i].Lock()
		closed = s.gates[i].closed
		s.gates[i].closed = true
		s.gates[i].Unlock()
	}
	if !closed {
		s.ristretto.Close()
	}
}

func (s *store[V]) gate(key Key) *gate { return &s.gates[key[10]%storeGates] }

func short(key Key) uint64 { return binary.LittleEndian.Uint64(key[:]) }
