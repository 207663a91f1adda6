package policy

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

// digests are spare buffers for keys. A buffer holds what policy read of a
// request, so it never leaves this file.
var digests = sync.Pool{New: func() any { return newDigest() }}

// remembers reports whether an entry point's decisions are remembered.
func (s *Snapshot) remembers(e *entrypoint) bool {
	return s.memory != nil && len(e.causes) == 0 && !e.surprised.Load()
}

// remember answers from memory where the same was asked before. A question
// whose key can't be written is answered afresh; errors are never remembered.
func (s *Snapshot) remember(ctx context.Context, e *entrypoint, q *gate.Question) (access.Decision, error) {
	key, err := e.key(q)
	if err != nil {
		return s.evaluate(ctx, e, q)
	}
	if d, err, found := s.memory.Get(key); found {
		return d, err
	}
	d, err := s.memory.Fetch(ctx, key, func(ctx context.Context) (cache.Loaded[access.Decision], error) {
		d, err := s.evaluateSteadily(ctx, e, q)
		return cache.Loaded[access.Decision]{Value: d, Cost: cost(&d)}, err
	})
	if errors.Is(err, errUnsteady) {
		return s.evaluate(ctx, e, q)
	}
	return d, err
}

// errUnsteady is for a decision that must not be remembered, though nothing in
// its policy said so.
var errUnsteady = errors.New("the evaluation called what may answer differently each time")

// evaluateSteadily evaluates under OPA's eyes: it notes every call whose answer
// is not a function of its arguments. The survey has found them all before; this
// is the second lock on the door.
func (s *Snapshot) evaluateSteadily(ctx context.Context, e *entrypoint, q *gate.Question) (access.Decision, error) {
	calls := builtins.NDBCache{}
	d, err := s.evaluateNoting(ctx, e, q, calls)
	if len(calls) > 0 {
		e.surprised.Store(true)
		return access.Decision{}, errUnsteady
	}
	return d, err
}

// key digests the revision, the entry point and everything of the question
// that the rules can read. Two questions with one key have one answer.
func (e *entrypoint) key(q *gate.Question) (cache.Key, error) {
	d, pooled := digests.Get().(*digest)
	if !pooled {
		d = newDigest()
	}
	defer digests.Put(d)
	d.bytes = append(d.bytes[:0], e.keyed...)
	if err := e.input.write(d, q); err != nil {
		return cache.Key{}, err
	}
	return sha256.Sum256(d.bytes), nil
}

// cost is about how many bytes a decision holds.
func cost(d *access.Decision) int64 {
	n := 256 + len(d.Body) + len(d.Detail)
	for _, headers := range [][]access.Header{d.Headers, d.ResponseHeaders} {
		for i := range headers {
			n += 32 + len(headers[i].Name) + len(headers[i].Value)
		}
	}
	for _, names := range [][]string{d.RemoveHeaders, d.RemoveQuery} {
		for i := range names {
			n += 16 + len(names[i])
		}
	}
	for i := range d.SetQuery {
		n += 32 + len(d.SetQuery[i].Name) + len(d.SetQuery[i].Value)
	}
	return int64(n + weight(d.Metadata))
}

// weight is about how many bytes a JSON value holds.
func weight(v any) int {
	switch v := v.(type) {
	case string:
		return 16 + len(v)
	case []any:
		n := 24
		for _, item := range v {
			n += weight(item)
		}
		return n
	case map[string]any:
		n := 0
		for name, item := range v {
			n += 48 + len(name) + weight(item)
		}
		return n
	}
	return 16
}
