package cache

import (
	"encoding/binary"
	"sync/atomic"
)

// generationStripes is how many generations the digests are spread over: a
// Forget takes about one entry in so many with it.
const generationStripes = 1024

// generation names the time between two Forgets of a stripe.
type generation struct{ stripe, all uint64 }

// ticket is a key at a generation: what a load that began then may answer for.
type ticket struct {
	key        Key
	generation generation
}

// generations counts Forgets. Both numbers only grow, and an entry carries
// those that were read before its load: so whoever forgets first and asks then
// finds a difference.
type generations struct {
	all     atomic.Uint64
	stripes [generationStripes]atomic.Uint64
}

func (g *generations) of(key Key) generation {
	return generation{stripe: g.stripe(key).Load(), all: g.all.Load()}
}

func (g *generations) next(key Key) { g.stripe(key).Add(1) }

func (g *generations) nextAll() { g.all.Add(1) }

func (g *generations) stripe(key Key) *atomic.Uint64 {
	return &g.stripes[binary.LittleEndian.Uint16(key[8:])%generationStripes]
}
