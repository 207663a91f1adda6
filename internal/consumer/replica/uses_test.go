package replica_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/replica"
)

// written is the last that the ledger was told of each credential.
func (l *fakeLedger) written() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]time.Time{}
	for _, batch := range l.used {
		maps.Copy(all, batch)
	}
	return all
}

func TestUsesAreWrittenToTheMinute(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		noon := time.Date(2026, 11, 24, 12, 0, 30, 5, time.FixedZone("", 3600))
		for range 1000 {
			s.Touch("a", noon)
		}
		s.Touch("a", noon.Add(20*time.Second))
		s.Touch("b", noon.Add(40*time.Second))
		s.Touch("b", noon) // late, and of an earlier minute
		if len(s.ledger.batches()) != 0 {
			t.Errorf("written on a request's way: %v", s.ledger.batches())
		}
		time.Sleep(40 * time.Second)
		want := map[string]time.Time{"a": time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC), "b": time.Date(2026, 11, 24, 11, 1, 0, 0, time.UTC)}
		if got := s.ledger.written(); !maps.Equal(got, want) || len(s.ledger.batches()) != 1 {
			t.Errorf("written %v in %d writes, want %v in one", got, len(s.ledger.batches()), want)
		}
		time.Sleep(time.Minute)
		if len(s.ledger.batches()) != 1 {
			t.Errorf("written again though nothing was used: %v", s.ledger.batches())
		}
		s.Touch("a", noon.Add(time.Minute))
		time.Sleep(40 * time.Second)
		if got := s.ledger.written()["a"]; !got.Equal(want["a"].Add(time.Minute)) {
			t.Errorf("the next minute's use is %v", got)
		}
	})
}

func TestUsesSurviveAnOutage(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.ledger.set(func() { s.ledger.down = consumer.ErrUnavailable })
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		for i := range 2500 {
			s.Touch(fmt.Sprint("k", i), at)
		}
		time.Sleep(2 * time.Minute)
		s.Touch("k0", at.Add(time.Minute))
		s.ledger.set(func() { s.ledger.down = nil })
		time.Sleep(time.Minute)
		got := s.ledger.written()
		if len(got) != 2500 || !got["k0"].Equal(at.Add(time.Minute)) || !got["k2499"].Equal(at) || s.State().DroppedUses != 0 {
			t.Errorf("%d were written, %v and %v, %d dropped", len(got), got["k0"], got["k2499"], s.State().DroppedUses)
		}
		for _, batch := range s.ledger.batches() {
			if len(batch) > 1000 {
				t.Errorf("%d in one write", len(batch))
			}
		}
	})
}

func TestUsesAreWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newLedger(7)
		s := start(t.Context(), ledger)
		s.Touch("a", time.Now())
		s.Close()
		if len(ledger.written()) != 1 {
			t.Errorf("written %v", ledger.written())
		}
	})
}

// However many credentials are used while the ledger is away, what waits is
// bounded, and it is the older ones that are lost.
func TestUsesThatWaitAreBounded(t *testing.T) {
	on(t, newLedger(7), func(t *testing.T, s *stage) {
		s.ledger.set(func() { s.ledger.down = consumer.ErrUnavailable })
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		const many = 220_000
		for i := range many {
			s.Touch(fmt.Sprint("k", i), at.Add(time.Duration(i/10_000)*time.Minute))
		}
		s.ledger.set(func() { s.ledger.down = nil })
		time.Sleep(time.Minute)
		got := s.ledger.written()
		if len(got) > 100_000 || len(got) < 50_000 || int64(len(got))+s.State().DroppedUses != many {
			t.Fatalf("%d were written and %d dropped of %d", len(got), s.State().DroppedUses, many)
		}
		for i := many - len(got); i < many; i++ {
			if _, ok := got[fmt.Sprint("k", i)]; !ok {
				t.Fatalf("the use %d was lost, and an older one was not", i)
			}
		}
	})
}

func TestTouchByMany(t *testing.T) {
	ledger := newLedger(7)
	s := start(t.Context(), ledger)
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 5000 {
				s.Touch(fmt.Sprint("k", i%100), at.Add(time.Duration(i/1000)*time.Minute))
			}
		})
	}
	wg.Wait()
	s.Close()
	got := ledger.written()
	for i := range 100 {
		if last := got[fmt.Sprint("k", i)]; !last.Equal(at.Add(4 * time.Minute)) {
			t.Errorf("k%d was last used at %v", i, last)
		}
	}
}

func TestTouchAllocatesNothingWithinAMinute(t *testing.T) {
	s := start(t.Context(), newLedger(7))
	defer s.Close()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s.Touch("a", at)
	if n := testing.AllocsPerRun(1000, func() { s.Touch("a", at.Add(30*time.Second)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchReplica(b *testing.B) *replica.Replica {
	ledger := newLedger(7)
	r := replica.Start(context.Background(), ledger, replica.Options{
		ID: "i", Forget: func(string) {}, ForgetAll: func() {}, Now: time.Now, Random: middling{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	b.Cleanup(r.Close)
	return r
}

func BenchmarkTouchWithinAMinute(b *testing.B) {
	r := benchReplica(b)
	at := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Touch("0123456789ab", at)
		}
	})
}

func BenchmarkTouchEveryTimeAnother(b *testing.B) {
	r := benchReplica(b)
	at, ids := time.Now(), make([]string, 200_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%012d", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.Touch(ids[i%len(ids)], at)
		i++
	}
}

func BenchmarkStaleness(b *testing.B) {
	r := benchReplica(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Staleness()
	}
}
