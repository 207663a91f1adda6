package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/bench/page"
)

// The bars of what may come of many keys.
const (
	startBar    = 2.0 // seconds
	memoryBar   = cacheMemory + 150
	cachedBar   = 1.1
	uncachedBar = 2.0
)

// report is what one run found.
type report struct {
	settings  settings
	noop      []float64
	few, many found
}

// figure is a line of the report. A figure without a bar is always within.
type figure struct {
	name, few, many, ratio, bar string
	within                      bool
}

func (r *report) figures() []figure {
	cached, uncached := ratioOf(r.many.cached, r.few.cached), ratioOf(r.many.uncached, r.few.uncached)
	start, peak := slices.Max(r.many.start), mib(r.many.filled.Peak)
	return []figure{
		{"start until ready, the longest of three", seconds(slices.Max(r.few.start)), seconds(start), "", fmt.Sprintf("≤ %.0f s", startBar), start <= startBar},
		{"memory after the start", memory(mib(r.few.begun.Resident)), memory(mib(r.many.begun.Resident)), "", "", true},
		{"memory, its peak with a full cache", "", memory(peak), "", fmt.Sprintf("≤ %d MiB", memoryBar), peak <= memoryBar},
		{"CPU of a remembered check beside no-op", times(median(ratios(r.few.cached, r.noop))), times(median(ratios(r.many.cached, r.noop))),
			cached.String(), fmt.Sprintf("≤ %.1f", cachedBar), cached.median <= cachedBar},
		{"CPU of a check that looks up", micros(median(r.few.uncached)), micros(median(r.many.uncached)),
			uncached.String(), fmt.Sprintf("≤ %.0f", uncachedBar), uncached.median <= uncachedBar},
		{"checks without the store's answer in time", strconv.Itoa(r.few.late), strconv.Itoa(r.many.late), "", "", true},
		{"CPU of a look-up alone, here", micros(r.few.lookUp.cpu), micros(r.many.lookUp.cpu), times(r.many.lookUp.cpu / r.few.lookUp.cpu), "", true},
		{"pages read for a look-up", fmt.Sprintf("%.1f", r.few.lookUp.pages), fmt.Sprintf("%.1f", r.many.lookUp.pages), "", "", true},
		{"steps that read a table from end to end", "", strconv.Itoa(scans(r.many.lookUp.plan)), "", "0", scans(r.many.lookUp.plan) == 0},
	}
}

func (r *report) within() bool {
	return !slices.ContainsFunc(r.figures(), func(f figure) bool { return !f.within })
}

// scans counts the steps of a plan that use no index to look for something.
func scans(plan string) int {
	return strings.Count(plan, "SCAN ") + strings.Count(plan, "Seq Scan")
}

// table is Markdown that reads on a terminal too.
func (r *report) table() string {
	var b strings.Builder
	const line = "| %-41s | %11s | %11s | %17s | %9s |\n"
	fmt.Fprintf(&b, line, r.settings.driver, thousands(fewKeys)+" keys", thousands(r.settings.keys), "× (rounds)", "bar")
	fmt.Fprintf(&b, line, "---", "---:", "---:", "---:", "---:")
	for _, f := range r.figures() {
		bar := f.bar
		if !f.within {
			bar = "beyond " + bar
		}
		fmt.Fprintf(&b, line, f.name, f.few, f.many, f.ratio, bar)
	}
	return b.String()
}

// part is the tool's part of bench/REPORT.md.
func (r *report) part() string {
	s := r.settings
	return fmt.Sprintf(`## %s keys in %s

Written by `+"`%s -keys %d -rounds %d -requests %d -different %d -lookups %d -write`"+` on %s.

%s
A look-up, as the database tells it:

`+"```\n%s\n```"+`

- Each consumer has one key. Both stores are served at the same time by the real program, as it is shipped with `+"`cache.max_memory: %dMiB`"+`; only what is remembered stays so for an
  hour, so that a turn with remembered checks has no others. Their load is %d keys, the same on both, in %d rounds of %d checks that alternate; × is the median of the rounds.
- The cache was filled with checks of %s different keys.
- A check that looks up is one with `+"`cache.max_memory: 0`"+`: key, consumer and policy are new each time. %d a round, of keys all over the store, %d at once. The time is the server's alone, which for
  SQLite is the database's too.
- %s
`, thousands(s.keys), nameOf(s.driver), s.command(), s.keys, s.rounds, s.requests, s.different, s.each, page.Machine(), r.table(), r.many.lookUp.plan,
		cacheMemory, fewKeys, s.rounds, s.requests, thousands(s.different), s.each, lookers, pagesOf(s.driver))
}

func nameOf(driver string) string {
	return map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[driver]
}

func pagesOf(driver string) string {
	if driver == "postgres" {
		return "Pages are those of 8 KiB that PostgreSQL looks at, in memory or not, as its EXPLAIN counts them. It runs on the same machine, without `fsync` and autovacuum."
	}
	return "Pages are those of 4 KiB that SQLite reads from the file beside its own cache of 2 MB a connection, which holds a store of a thousand keys as a whole."
}
