package serve

import (
	"context"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

func TestGarbageIsBounded(t *testing.T) {
	for live, want := range map[uint64]int{
		0: mostGarbage, 1 << 20: mostGarbage, 25 << 20: mostGarbage, 32 << 20: 300, 64 << 20: 100, 80 << 20: 60, 96 << 20: leastGarbage,
		8 << 30: leastGarbage, math.MaxUint64: leastGarbage,
	} {
		if got := garbage(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
}

func TestCollectorFollowsWhatLives(t *testing.T) {
	t.Cleanup(func() { debug.SetGCPercent(100) })
	none := func(name string) (string, bool) { return "", name == "GOMEMLIMIT" }
	if !tune(none, slog.New(slog.DiscardHandler)) {
		t.Fatal("the collector is not followed, though GOGC is not set")
	}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { collect(ctx) })
	defer work.Wait()
	defer stop()
	large := make([]byte, 256<<20) // never touched, so that it takes no memory
	runtime.GC()
	await(t, func(percent uint64) bool { return percent == leastGarbage })
	runtime.KeepAlive(large) // no longer than this
	runtime.GC()
	await(t, func(percent uint64) bool { return percent > leastGarbage })
}

func await(t *testing.T, reached func(percent uint64) bool) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		metrics.Read(sample)
		switch percent := sample[0].Value.Uint64(); {
		case reached(percent):
			return
		case time.Now().After(deadline):
			t.Fatalf("the heap may grow by %d %%", percent)
		}
	}
}

func TestGOGCIsLeftToWhoSetsIt(t *testing.T) {
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	all := func(string) (string, bool) { return "77", true }
	if tune(all, slog.New(slog.DiscardHandler)) {
		t.Error("the collector is to follow what lives, though GOGC is set")
	}
	if percent := debug.SetGCPercent(77); percent != 77 {
		t.Errorf("GOGC was made %d", percent)
	}
}
