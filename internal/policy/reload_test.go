package policy_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// reloads is how often policy is replaced while it is asked.
const reloads = 1000

// numbered is a policy whose answer names the number that each of its parts was
// given: two modules, the data, and the revision that they are.
type numbered struct {
	*policy.Snapshot
	number int
}

func numberedPolicy(t *testing.T, n int, change func(*policy.Options)) *numbered {
	texts := merged(
		module(fmt.Sprintf("import data.other\n\nallow := {\"allowed\": true, \"dynamic_metadata\": {\"here\": %d, \"there\": other.number, \"data\": data.number, \"route\": input.route.name}}", n)),
		map[string]string{"other.rego": fmt.Sprintf("package other\n\nnumber := %d", n), "data.json": fmt.Sprintf(`{"number": %d}`, n)})
	return &numbered{embedded(t, texts, change), n}
}

// A thousand reloads under traffic, with one memory for all: each decision is
// of one revision, the one that was asked.
func TestEachDecisionIsOfOneRevision(t *testing.T) {
	c := memory(t)
	remember := func(o *policy.Options) { o.Memory = c }
	var live atomic.Pointer[numbered]
	live.Store(numberedPolicy(t, 0, remember))
	done := make(chan struct{})
	var asking sync.WaitGroup
	var asked atomic.Int64
	for range 4 {
		asking.Go(func() {
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true // and one last question
				default:
				}
				askNumbered(t, live.Load())
				asked.Add(1)
			}
		})
	}
	for n := 1; n <= reloads; n++ {
		// Every third brings what is there already.
		live.Store(numberedPolicy(t, n-n%3/2, remember))
	}
	close(done)
	asking.Wait()
	t.Logf("%d questions, %d from memory", asked.Load(), c.Stats().Hits)
}

func askNumbered(t *testing.T, s *numbered) {
	d, err := s.Decide(context.Background(), question())
	if err != nil {
		t.Error(err)
		return
	}
	for _, part := range []string{"here", "there", "data"} {
		if got := fmt.Sprint(d.Metadata[part]); got != fmt.Sprint(s.number) {
			t.Errorf("%s says %s at number %d", part, got, s.number)
		}
	}
}
