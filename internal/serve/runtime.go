package serve

import (
	"log/slog"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// garbage is how much the heap may grow between collections, in percent. Most
// of what a check allocates is dead when it answers, so that collecting seldom
// costs little memory; the memory limit bounds it.
const garbage = 400

// tune sets the collector by the container's memory, unless GOGC or GOMEMLIMIT
// say otherwise. It is the process's own setting, made once by the program.
func tune(env func(string) (string, bool), logger *slog.Logger) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(garbage)
	}
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
