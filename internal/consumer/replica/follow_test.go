package replica_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

func TestItBeginsAtTheHeadWithNothingRemembered(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		if got := s.memory.take(); len(got) != 1 || got[0][0] != '*' {
			t.Errorf("forgot %v, want everything once", got)
		}
		if s.Sequence() != 7 || len(s.ledger.followed()) != 1 || s.ledger.followed()[0] != 7 {
			t.Errorf("at %d, follows after %v, want 7", s.Sequence(), s.ledger.followed())
		}
	})
}

// What a change touches is forgotten while the change does not count as applied
// yet: the sequence seen by Forget is the one before.
func TestAChangeIsForgottenBeforeItIsApplied(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.memory.take()
		s.ledger.tell(consumer.Changes{Upto: 9, Consumers: []string{"a", "b"}})
		forgot(t, s, "a@7", "b@7")
		s.ledger.tell(consumer.Changes{Upto: 10, All: true})
		forgot(t, s, "*@9")
		s.ledger.tell(consumer.Changes{Upto: 10})
		forgot(t, s)
		if s.Sequence() != 10 {
			t.Errorf("at %d, want 10", s.Sequence())
		}
	})
}

func TestALedgerThatWentBack(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.memory.take()
		s.ledger.tell(consumer.Changes{Upto: 5, Consumers: []string{"a"}})
		forgot(t, s, "*@7", "a@7")
		if s.Sequence() != 5 {
			t.Errorf("at %d, want 5", s.Sequence())
		}
		logged(t, s, "has gone back", 1)
	})
}

func TestApplied(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		if err := s.Applied(t.Context(), 7); err != nil {
			t.Errorf("what is applied already: %v", err)
		}
		waited := make(chan error, 1)
		go func() { waited <- s.Applied(t.Context(), 9) }()
		s.ledger.tell(consumer.Changes{Upto: 8, Consumers: []string{"a"}})
		select {
		case err := <-waited:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		s.ledger.tell(consumer.Changes{Upto: 10, Consumers: []string{"a"}})
		if err := <-waited; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Applied(ctx, 11); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("beyond its time: %v", err)
		}
	})
}

func TestAppliedEndsWithTheReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), newLedger(7))
		waited := make(chan error, 1)
		go func() { waited <- s.Applied(t.Context(), 99) }()
		synctest.Wait()
		s.Close()
		if err := <-waited; err == nil {
			t.Error("a change that nobody will apply was applied")
		}
	})
}

// Only that there is nothing more makes it fresh: a change alone may be the
// first of many.
func TestStaleness(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		is := func(want time.Duration) {
			t.Helper()
			if got := s.Staleness(); got != want || s.State().Staleness != want {
				t.Errorf("stale by %v and %v, want %v", got, s.State().Staleness, want)
			}
		}
		is(0)
		time.Sleep(3 * time.Second)
		is(3 * time.Second)
		s.ledger.tell(consumer.Changes{Upto: 8, Consumers: []string{"a"}})
		is(3 * time.Second)
		s.ledger.tell(consumer.Changes{Upto: 8})
		is(0)
	})
}

func TestALedgerThatIsNotThereAtTheStart(t *testing.T) {
	ledger := newLedger(7)
	ledger.down = consumer.ErrUnavailable
	on(t, ledger, func(t *testing.T, s *stage) {
		time.Sleep(time.Minute)
		state := s.State()
		if state.Begun || state.Staleness != math.MaxInt64 || !errors.Is(state.Failure, consumer.ErrUnavailable) {
			t.Errorf("before it was reached: %+v", state)
		}
		forgot(t, s)
		logged(t, s, "can't be followed", 1)
		ledger.set(func() { ledger.down = nil })
		time.Sleep(time.Second) // retries come at half of that
		if state := s.State(); !state.Begun || state.Sequence != 7 || state.Failure != nil || state.Staleness > time.Second {
			t.Errorf("after it was reached: %+v", state)
		}
		forgot(t, s, "*@0")
	})
}

// When following ends without cause it goes on from where it was, so that
// nothing between is missed.
func TestFollowingGoesOnWhereItWas(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.ledger.tell(consumer.Changes{Upto: 9, Consumers: []string{"a"}})
		s.memory.take()
		s.ledger.set(func() { close(s.ledger.feed) })
		time.Sleep(time.Second)
		if got := s.ledger.followed(); len(got) != 2 || got[1] != 9 {
			t.Errorf("follows after %v, want 7 and then 9", got)
		}
		forgot(t, s)
	})
}
