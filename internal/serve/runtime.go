package serve

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The heap may grow by mostGarbage percent of what lives between collections:
// most of what a check allocates is dead when it answers, so that collecting
// seldom costs little memory. Where much lives, as with full caches, that would
// be much, so that the whole may grow to usualHeap bytes, or by spareHeap where
// more lives, but always by leastGarbage percent, so that collecting a large
// heap does not take most of the time.
const (
	mostGarbage  = 400
	leastGarbage = 50
	usualHeap    = 128 << 20
	spareHeap    = 48 << 20
)

// collectEvery is how often the collector's setting follows what lives.
const collectEvery = 250 * time.Millisecond

// garbage is how much the heap may grow, in percent, when so many bytes live.
func garbage(live uint64) int {
	spare := uint64(spareHeap)
	if live < usualHeap-spareHeap {
		spare = usualHeap - live
	}
	return int(min(max(100*spare/max(live, 1), leastGarbage), mostGarbage))
}

// collect keeps the collector's setting by what lives until ctx ends.
func collect(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for set := mostGarbage; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		// Each change stops the world for a moment: small ones are not worth it.
		if now := garbage(live[0].Value.Uint64()); now != set && (now < set*9/10 || now > set*11/10) {
			debug.SetGCPercent(now)
			set = now
		}
	}
}

// tune sets the collector by the container's memory, unless GOGC or GOMEMLIMIT
// say otherwise. It is the process's own setting, made once by the program. It
// reports whether the collector is to follow what lives from now on.
func tune(env func(string) (string, bool), logger *slog.Logger) (follow bool) {
	_, set := env("GOGC")
	if !set {
		debug.SetGCPercent(mostGarbage)
	}
	limitMemory(env, logger)
	return !set
}

func limitMemory(env func(string) (string, bool), logger *slog.Logger) {
	if _, set := env("GOMEMLIMIT"); set {
		return
	}
	limit, err := memlimit.Set(
		memlimit.WithRatio(0.9),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)),
	)
	if err != nil {
		logger.Warn("no memory limit is set", "error", err.Error())
		return
	}
	logger.Debug("memory limit", "bytes", limit)
}
