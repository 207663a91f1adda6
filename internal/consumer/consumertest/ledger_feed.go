package consumertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

func countsChanges(t *testing.T, l consumer.Ledger) {
	if head := consumersHead(t, l); head != 0 {
		t.Errorf("an empty ledger has the head %d", head)
	}
	ctx := t.Context()
	first := change(t, l, func(w consumer.Writer) error {
		return errors.Join(w.InsertConsumer(ctx, record("a")), w.InsertConsumer(ctx, record("b")), w.InsertPlan(ctx, &consumer.Plan{Name: "p"}))
	})
	nothing := change(t, l, func(consumer.Writer) error { return nil })
	second := change(t, l, func(w consumer.Writer) error { return w.DeletePlan(ctx, "p", 0) })
	if first != 1 || nothing != 1 || second != 2 || consumersHead(t, l) != 2 {
		t.Errorf("changes were numbered %d, %d and %d, the head is %d; want 1, 1, 2 and 2", first, nothing, second, consumersHead(t, l))
	}
}

// Following is a follower that a test looks at.
type Following struct {
	mu      sync.Mutex
	changes []consumer.Changes
	moved   chan struct{}
	done    chan error
}

// StartFollowing follows a ledger until the test ends.
func StartFollowing(t *testing.T, l consumer.Ledger, after consumer.Sequence) *Following {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	f := &Following{moved: make(chan struct{}, 1), done: make(chan error, 1)}
	go func() { f.done <- l.Follow(ctx, after, f.apply) }()
	t.Cleanup(func() {
		cancel()
		if err := <-f.done; err == nil {
			t.Error("a following ended without a reason")
		}
	})
	return f
}

func (f *Following) apply(c consumer.Changes) {
	f.mu.Lock()
	f.changes = append(f.changes, c)
	f.mu.Unlock()
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// Changes are those that were handed on so far.
func (f *Following) Changes() []consumer.Changes {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// Names are the consumers that were named so far, each time in order.
func (f *Following) Names() (all []string) {
	for _, c := range f.Changes() {
		all = append(all, c.Consumers...)
	}
	return all
}

// Upto is the last sequence that was handed on; -1: none.
func (f *Following) Upto() consumer.Sequence {
	changes := f.Changes()
	if len(changes) == 0 {
		return -1
	}
	return changes[len(changes)-1].Upto
}

// Wait waits until a condition holds, looking at each hand-over.
func (f *Following) Wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-f.moved:
		case <-deadline:
			t.Fatalf("waited %s for %s; handed on: %+v", patience, what, f.Changes())
		}
	}
}

// WaitFor waits until a sequence was handed on.
func (f *Following) WaitFor(t *testing.T, upto consumer.Sequence) {
	t.Helper()
	f.Wait(t, fmt.Sprintf("sequence %d", upto), func() bool { return f.Upto() >= upto })
}

func handsOn(t *testing.T, l consumer.Ledger) {
	consumers(t, l, "before")
	f := StartFollowing(t, l, 1)
	f.Wait(t, "an empty hand-over at once", func() bool { return len(f.Changes()) > 0 })
	if first := f.Changes()[0]; first.Upto != 1 || len(first.Consumers) > 0 || first.All {
		t.Errorf("the first hand-over is %+v; want an empty one up to 1", first)
	}
	ctx := t.Context()
	for _, c := range []struct {
		write func(consumer.Writer) error
		names []string
	}{
		{func(w consumer.Writer) error { return w.InsertConsumer(ctx, record("One")) }, []string{"One"}},
		{func(w consumer.Writer) error { return w.InsertCredential(ctx, key("ONE", "k")) }, []string{"One"}},
		{func(w consumer.Writer) error { return w.UpdateCredential(ctx, key("", "k")) }, []string{"One"}},
		{func(w consumer.Writer) error { return w.InsertPlan(ctx, &consumer.Plan{Name: "p"}) }, nil},
		{func(w consumer.Writer) error {
			return errors.Join(w.UpdateConsumer(ctx, record("one")), w.UpdateConsumer(ctx, record("before")))
		}, []string{"One", "before"}},
		{func(w consumer.Writer) error { return w.DeleteCredential(ctx, "k", 0) }, []string{"One"}},
		{func(w consumer.Writer) error { return w.DeleteConsumer(ctx, "ONE", 0) }, []string{"One"}},
	} {
		seen := len(f.Names())
		f.WaitFor(t, change(t, l, c.write))
		same(t, "names", c.names, f.Names()[seen:])
	}
	late := StartFollowing(t, l, 0)
	late.WaitFor(t, f.Upto())
	got := late.Names()
	slices.Sort(got)
	same(t, "names from the start", []string{"One", "before"}, slices.Compact(got))
	quiet := len(f.Changes())
	f.Wait(t, "an empty hand-over without a change", func() bool { return len(f.Changes()) > quiet })
}

// handsOnAll races writers, and checks after each hand-over that what it
// promises to include was included.
func handsOnAll(t *testing.T, l consumer.Ledger) {
	const writers, each = 6, 15
	var (
		mu sync.Mutex
		at = map[consumer.Sequence]string{}
		wg sync.WaitGroup
	)
	f := StartFollowing(t, l, 0)
	for i := range writers {
		wg.Go(func() {
			for _, name := range names(fmt.Sprint("w", i), each) {
				sequence, err := l.Change(t.Context(), author, func(w consumer.Writer) error { return w.InsertConsumer(t.Context(), record(name)) })
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				at[sequence] = name
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.WaitFor(t, writers*each)
	var next consumer.Sequence
	for _, c := range f.Changes() {
		if c.All || c.Upto < next {
			t.Fatalf("after %d came %+v", next, c)
		}
		var want []string
		for ; next < c.Upto; next++ {
			want = append(want, at[next+1])
		}
		slices.Sort(want)
		slices.Sort(c.Consumers)
		same(t, fmt.Sprintf("names up to %d", c.Upto), want, c.Consumers)
	}
	if len(at) != writers*each {
		t.Errorf("%d changes have %d numbers", writers*each, len(at))
	}
}

func namesAll(t *testing.T, l consumer.Ledger) {
	f := StartFollowing(t, l, 0)
	many := names("m", 999)
	consumers(t, l, many...)
	f.WaitFor(t, 1)
	var all bool
	for _, c := range f.Changes() {
		all = all || c.All
	}
	if !all && len(f.Names()) != len(many) {
		t.Errorf("%d consumers were touched; %d are named, and not all", len(many), len(f.Names()))
	}
}

func endsFollowing(t *testing.T, l consumer.Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	handed := make(chan struct{}, 100)
	go func() { done <- l.Follow(ctx, 0, func(consumer.Changes) { handed <- struct{}{} }) }()
	<-handed
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v; want the context's reason", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on after its context ended")
	}
}
