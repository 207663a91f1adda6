package main

import (
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// TestShortRun takes both databases through a whole run, on few keys. What it
// costs is left to runs without other tests beside them.
func TestShortRun(t *testing.T) {
	for _, driver := range []string{sqlstore.SQLite, sqlstore.Postgres} {
		t.Run(driver, func(t *testing.T) {
			if _, err := postgresBin(); err != nil && driver == sqlstore.Postgres {
				missing(t, err)
			}
			var out strings.Builder
			s := settings{driver: driver, keys: 3000, rounds: 2, requests: 500, different: 1500, each: 200}
			if _, err := run(t.Context(), s, &out, io.Discard); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(out.String(), "\n"); lines < 10 {
				t.Errorf("the table has %d lines:\n%s", lines, out.String())
			}
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, "| steps that read") && (strings.Contains(line, "beyond") || !strings.Contains(line, "0")) {
					t.Error(line)
				}
			}
		})
	}
}

func missing(t *testing.T, err error) {
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func TestUnknownDriver(t *testing.T) {
	if _, err := openStores(t.Context(), settings{driver: "mysql"}, t.TempDir()); err == nil {
		t.Error("it was opened")
	}
}

func TestKeysCount(t *testing.T) {
	last := ""
	for _, i := range []int{0, 1, 2, 999, 1000, 9_999_999} {
		key, err := keyOf(i)
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := consumer.ShowKey(key)
		if !consumer.LooksLikeKey(string(key.Reveal())) || id <= last {
			t.Errorf("key %d has the id %q after %q", i, id, last)
		}
		last = id
	}
}

func TestScatteredVisitsAll(t *testing.T) {
	for _, n := range []int{1, 1000, 20_000, 999_983} {
		seen := make([]bool, n)
		for i := range n {
			seen[scattered(i, n)] = true
		}
		for i, was := range seen {
			if !was {
				t.Errorf("%d of %d was left out", i, n)
				break
			}
		}
	}
}

func TestBuffersOfAPlan(t *testing.T) {
	plan := "Nested Loop (actual rows=1 loops=1)\n  Buffers: shared hit=7 read=2 dirtied=1\n  ->  Index Scan\n        Buffers: shared hit=4"
	if n, err := buffersOf(plan); err != nil || n != 9 {
		t.Errorf("got %d, %v; want 9", n, err)
	}
	if _, err := buffersOf("Index Scan"); err == nil {
		t.Error("a plan without buffers was read")
	}
}

// good is a report within all its bars.
func good() *report {
	f := found{start: []float64{0.1, 1.9}, cached: []float64{1, 1, 1}, uncached: []float64{3, 3, 3}, lookUp: lookUp{cpu: 1, pages: 4, plan: "SEARCH k USING INDEX credentials_lookup (lookup=?)"}}
	f.filled.Peak = memoryBar << 20
	return &report{settings: settings{driver: "sqlite", keys: 10_000_000}, noop: []float64{1, 1, 1}, few: f, many: f}
}

func TestReportHasBars(t *testing.T) {
	if r := good(); !r.within() {
		t.Errorf("beyond:\n%s", r.table())
	}
	for name, spoil := range map[string]func(*report){
		"start":    func(r *report) { r.many.start = []float64{0.1, 2.1} },
		"memory":   func(r *report) { r.many.filled.Peak++ },
		"cached":   func(r *report) { r.many.cached = []float64{1.2, 1.2, 1} },
		"nothing":  func(r *report) { r.many.cached = []float64{math.NaN(), math.NaN(), math.NaN()} },
		"uncached": func(r *report) { r.many.uncached = []float64{7, 7, 7} },
		"scan":     func(r *report) { r.many.lookUp.plan = "SCAN c" },
	} {
		r := good()
		spoil(r)
		if r.within() || !strings.Contains(r.table(), "beyond") {
			t.Errorf("%s is within:\n%s", name, r.table())
		}
	}
	if page := good().part(); !strings.Contains(page, "## 10,000,000 keys in SQLite") || !strings.Contains(page, "-driver sqlite -keys 10000000 ") {
		t.Errorf("the part of the report:\n%s", page)
	}
}
