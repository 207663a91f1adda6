package author

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// Cost is what one decision takes.
type Cost struct {
	Nanoseconds int64 `json:"ns"`
	// Slowest is the slowest of the questions, by itself.
	Slowest     int64 `json:"slowest_ns"`
	Allocations int64 `json:"allocations"`
	Bytes       int64 `json:"bytes"`
}

// Measured is what an entry point's decisions take.
type Measured struct {
	Entrypoint string `json:"entrypoint"`
	Questions  int    `json:"questions"`
	Allowed    int    `json:"allowed"`
	Errors     int    `json:"errors"`
	// Evaluated is the cost of a decision that is made, Remembered that of one
	// that was made before; nil where decisions are not remembered.
	Evaluated  Cost  `json:"evaluated"`
	Remembered *Cost `json:"remembered,omitempty"`
	// Why says what keeps decisions from being remembered.
	Why []string `json:"not_remembered,omitempty"`
}

// benchMemory is room enough for what a bench asks.
const benchMemory = 64 << 20

// Remembering is a memory for a policy that is to be measured.
func Remembering(now func() time.Time) (*cache.Cache[access.Decision], error) {
	return cache.New[access.Decision](cache.Options[access.Decision]{MaxMemory: benchMemory, TTL: time.Hour, Now: now})
}

// Measure asks an entry point the same questions for as long as each says, and
// again where decisions are remembered. fresh has no memory.
func Measure(ctx context.Context, fresh, remembering *policy.Snapshot, entrypoint string, questions []*gate.Question, each time.Duration) (*Measured, error) {
	if len(questions) == 0 {
		return nil, errors.New("there is no question to ask")
	}
	asked := make([]*gate.Question, len(questions))
	m := &Measured{Entrypoint: entrypoint, Questions: len(questions)}
	for i, q := range questions {
		with := *q
		with.Entrypoint = entrypoint
		asked[i] = &with
		d, err := fresh.Decide(ctx, &with)
		switch {
		case err != nil:
			m.Errors++
		case d.Allowed:
			m.Allowed++
		}
	}
	m.Evaluated = costOf(ctx, fresh, asked, each)
	for _, cause := range fresh.Unremembered(entrypoint) {
		m.Why = append(m.Why, cause.String())
	}
	if len(m.Why) == 0 {
		for _, q := range asked {
			_, _ = remembering.Decide(ctx, q) // the first time is evaluated; its error was counted above
		}
		cost := costOf(ctx, remembering, asked, each)
		m.Remembered = &cost
	}
	return m, ctx.Err()
}

// costOf asks in rounds until the time is over, at least once.
func costOf(ctx context.Context, s *policy.Snapshot, questions []*gate.Question, within time.Duration) Cost {
	took := make([]time.Duration, len(questions))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, rounds := time.Now(), int64(0)
	for rounds == 0 || time.Since(start) < within && ctx.Err() == nil {
		for i, q := range questions {
			began := time.Now()
			_, _ = s.Decide(ctx, q) // what it decides was looked at before
			took[i] += time.Since(began)
		}
		rounds++
	}
	runtime.ReadMemStats(&after)
	decisions := rounds * int64(len(questions))
	var sum time.Duration
	for _, t := range took {
		sum += t
	}
	return Cost{
		Nanoseconds: int64(sum) / decisions, Slowest: int64(slices.Max(took)) / rounds,
		Allocations: int64(after.Mallocs-before.Mallocs) / decisions,
		Bytes:       int64(after.TotalAlloc-before.TotalAlloc) / decisions,
	}
}

// Questions puts every case to the gate, and returns what policy was asked.
func (c *Court) Questions(ctx context.Context, cases *Cases) (questions []*gate.Question) {
	for i := range cases.Cases {
		if _, q := c.hear(ctx, &cases.Cases[i]); q != nil {
			questions = append(questions, q)
		}
	}
	return questions
}

// Generated are cases to measure with where there are none: four consumers, by
// methods and paths.
func Generated() *Cases {
	all := &Cases{}
	who := []*Identity{
		nil,
		{Consumer: "reader", Environment: "prod", Roles: []string{"reader"}, Scopes: []string{"orders:read"}},
		{Consumer: "writer", Environment: "prod", Roles: []string{"reader", "writer"}, Scopes: []string{"orders:read", "orders:write"}},
		{Consumer: "admin", Environment: "prod", Roles: []string{"admin"}, Claims: map[string]any{"sub": "admin"}},
	}
	for _, as := range who {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			for _, path := range []string{"/", "/orders/1", "/admin/users/7", "/a/b/c/d/e?x=1"} {
				one := Case{As: as, Request: Request{Method: method, Path: path}, Expect: Expect{Status: 200}}
				_ = one.complete() // it makes sense
				all.Cases = append(all.Cases, one)
			}
		}
	}
	return all
}
