package life

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// traffic asks an instance about keys of which it is known what may be said,
// whatever happens to the store meanwhile.
type traffic struct {
	instance *instance
	stop     context.CancelFunc
	done     sync.WaitGroup
	kinds    []*kindOfKey
}

// kindOfKey is keys, what may be said of them, and what was said.
type kindOfKey struct {
	name   string
	keys   []key
	may    []verdict
	counts map[verdict]int
}

// startTraffic asks until it is judged. Hot keys are remembered, cold ones are
// not, gone ones are revoked.
func startTraffic(i *instance, hot, cold, gone []key) *traffic {
	ctx, stop := context.WithCancel(context.Background())
	s := &traffic{instance: i, stop: stop, kinds: []*kindOfKey{
		{name: "remembered", keys: hot, may: []verdict{allowed}},
		{name: "not remembered", keys: cold, may: []verdict{allowed, unavailable}},
		{name: "revoked", keys: gone, may: []verdict{refused, unavailable}},
	}}
	for _, k := range s.kinds {
		k.counts = map[verdict]int{}
		s.done.Go(func() { s.send(ctx, k) })
	}
	return s
}

func (s *traffic) send(ctx context.Context, k *kindOfKey) {
	for ctx.Err() == nil {
		got, err := s.instance.ask(ctx, k.keys[rand.IntN(len(k.keys))].Key)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			got = verdict{code: err.Error()}
		}
		k.counts[got]++ // nobody else reads it before this has ended
		time.Sleep(time.Millisecond)
	}
}

// judge ends the traffic and looks at what was said.
func (s *traffic) judge(t *testing.T) {
	t.Helper()
	s.stop()
	s.done.Wait()
	for _, k := range s.kinds {
		t.Logf("%s: %v", k.name, k.counts)
		for got, n := range k.counts {
			if !slices.Contains(k.may, got) {
				t.Errorf("%s keys got %v %d times", k.name, got, n)
			}
		}
	}
}
