package replica_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/consumer"
)

func TestItTellsThatItLives(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		time.Sleep(time.Second)
		_, before := s.ledger.lastBeat()
		time.Sleep(4 * consumer.BeatEvery)
		if _, after := s.ledger.lastBeat(); after != before+4 {
			t.Errorf("%d beats in the time of 4", after-before)
		}
		want := consumer.Instance{ID: "i1", Name: "host", Version: "v1", Applied: 7}
		got := s.ledger.told()[len(s.ledger.told())-1]
		if got.StartedAt.IsZero() {
			t.Error("no time of the start")
		}
		got.StartedAt = time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A receipt needs no interval to pass, and a thousand changes are no thousand
// writes.
func TestWhatIsAppliedIsToldSoonAndTogether(t *testing.T) {
	on(t, newLedger(0), func(t *testing.T, s *stage) {
		time.Sleep(time.Second)
		_, before := s.ledger.lastBeat()
		s.ledger.tell(consumer.Changes{Upto: 1, Consumers: []string{"a"}})
		if told, _ := s.ledger.lastBeat(); told != 1 {
			t.Errorf("told %d at once, want 1", told)
		}
		for i := range 1000 {
			s.ledger.tell(consumer.Changes{Upto: consumer.Sequence(2 + i), Consumers: []string{"a"}})
		}
		time.Sleep(50 * time.Millisecond)
		told, after := s.ledger.lastBeat()
		if told != 1001 || after-before > 3 {
			t.Errorf("told %d with %d beats, want 1001 with at most 3", told, after-before)
		}
	})
}

func TestItLeavesWhenItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newLedger(7)
		s := start(t.Context(), ledger)
		synctest.Wait()
		s.Close()
		_, before := ledger.lastBeat()
		time.Sleep(time.Minute)
		if _, after := ledger.lastBeat(); after != before || len(ledger.hasLeft()) != 1 || ledger.hasLeft()[0] != "i1" {
			t.Errorf("left %v, and %d beats after that", ledger.hasLeft(), after-before)
		}
	})
}

func TestAnOutageIsLoggedOnce(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.ledger.set(func() { s.ledger.down = consumer.ErrUnavailable })
		time.Sleep(time.Minute)
		logged(t, s, "level=WARN", 1)
		s.ledger.set(func() { s.ledger.down = nil })
		time.Sleep(time.Minute)
		logged(t, s, "no more: this instance can't tell", 1)
	})
}
