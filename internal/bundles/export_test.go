package bundles

import (
	"io"
	"time"
)

// Quick gives servers little time.
func Quick(d Deps) Deps {
	d.limits = limits{header: 300 * time.Millisecond, idle: 300 * time.Millisecond, total: 2 * time.Second}
	return d
}

// Inspect is for the fuzz target.
func Inspect(r io.Reader, most int64) error { return inspect(r, most) }
