package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/page"
)

// row is a case beside its floor, as ratios of one request's costs.
type row struct {
	name, floor string
	bar         float64
	// cpu is the ratio of all turns together; least and most are those of
	// single rounds.
	cpu, least, most float64
	// allocations is the ratio, each the number a request.
	allocations, each float64
}

// report is what one run found. It holds ratios alone: times say more about the
// machine than about the server.
type report struct {
	settings settings
	rows     []row
	floods   []floodRound
	edits    []*editKind
}

func newReport(s settings, results []result, floods []floodRound, edits []*editKind) report {
	r := report{settings: s, floods: floods, edits: edits}
	floors := map[string]result{}
	for _, found := range results {
		floors[found.name] = found
		if found.floor != "" {
			r.rows = append(r.rows, newRow(found, floors[found.floor]))
		}
	}
	return r
}

func newRow(found, floor result) row {
	mine, base := sum(found.turns), sum(floor.turns)
	r := row{name: found.name, floor: floor.name, bar: found.bar}
	r.cpu, r.allocations = mine.cpu/base.cpu, mine.allocations/base.allocations
	r.each = mine.allocations / float64(len(found.turns))
	var ratios []float64
	for i, t := range found.turns {
		ratios = append(ratios, t.cpu/floor.turns[i].cpu)
	}
	r.least, r.most = slices.Min(ratios), slices.Max(ratios)
	return r
}

func sum(turns []cost) (total cost) {
	for _, t := range turns {
		total.cpu += t.cpu
		total.allocations += t.allocations
	}
	return total
}

// within reports whether every figure is within its bar.
func (r report) within() bool {
	median, _, _ := middle(r.floods, func(f floodRound) float64 { return f.median })
	cpu, _, _ := middle(r.floods, func(f floodRound) float64 { return f.cpu })
	return !slices.ContainsFunc(r.rows, func(r row) bool { return r.beyond() }) && median <= floodBar && cpu <= floodBar && editsWithin(r.edits)
}

func (r row) beyond() bool { return r.bar > 0 && !(r.cpu <= r.bar) } // not a number is beyond

// table is the report's middle, in Markdown that reads on a terminal too.
func (r report) table() string {
	var b strings.Builder
	const line = "| %-38s | %-18s | %6s | %11s | %5s | %6s | %11s |\n"
	fmt.Fprintf(&b, line, "what answers", "beside", "CPU ×", "rounds", "bar", "allocs", "allocs ×")
	fmt.Fprintf(&b, line, "---", "---", "---:", "---:", "---:", "---:", "---:")
	for _, w := range r.rows {
		fmt.Fprintf(&b, line, w.name, w.floor, fmt.Sprintf("%.2f", w.cpu), fmt.Sprintf("%.2f–%.2f", w.least, w.most),
			w.verdict(), fmt.Sprintf("%.0f", w.each), fmt.Sprintf("%.2f", w.allocations))
	}
	b.WriteString("\n" + floodTable(r.floods) + "\n" + editTable(r.edits))
	return b.String()
}

func (r row) verdict() string {
	switch {
	case r.bar == 0:
		return ""
	case r.beyond():
		return fmt.Sprintf("> %g", r.bar)
	}
	return fmt.Sprintf("≤ %g", r.bar)
}

// page is the whole report, a part of bench/REPORT.md.
func (r report) page() string {
	return fmt.Sprintf(`## Above nothing

Written by `+"`go run ./bench -write`"+` (`+"`make bench`"+` prints the table) on %s. %d rounds of %d requests a case (%d where each needs a new token).

%s
- **CPU ×** is the server process's CPU time (user and system) a request, divided by that of a server that does nothing, in the same run. *rounds* are the lowest and
  highest ratio of a single round: what lies within them is noise. **allocs** are heap allocations a request.
- Beside gRPC stands a grpc-go server with default settings that answers OK with one header; beside the HTTP door a net/http server that answers 200 with one header.
- Postern runs as it is shipped, with the configuration of `+"`deploy/example`"+` and its log written to a file; only the policy timeout is longer, since server and load
  share the cores. Among its own defaults is a garbage collector that lets the heap grow further while little lives (GOGC up to 400) than Go's own default (100), which the no-op servers have. The first
  row says what that setting alone does: divide by it to compare like with like.
- %d connections with %d requests in flight on each (HTTP/1.1: %d connections), requests as a browser's behind a gateway with 15 headers and an id of their own. Every answer is
  checked; one wrong answer ends the run.
- The flood is of %d bad passwords a second, each another one, and has lasted for a while: at first wrong passwords may take more. Latency is that of %d clients with a key who pause for a millisecond between two requests; CPU time is that of keys
  asked for as fast as they are answered, less what the passwords cost, looked at or not, when they are alone. The figure is the
  median of the rounds. The slowest hundredth has no bar: where hashing, keys and the load keep every core busy, it waits for the system's scheduler.
- An edit counts from the moment that the file is saved to the first decision by it, as a client sees it, while %d clients ask all the time, each with a pause of a millisecond; %d edits of each kind, of one file with a thousand rules.
- The policy that can't be remembered reads the clock, so it runs on every request. RBAC is a list of 20 rules, each with a role, methods and the pattern of a path; all are of the consumer's role, and the last fits; *evaluated*, it reads the clock besides. *No
  policy* is one that is `+"`allow := true`"+`, which reads nothing. A bar is the most that a ratio may be; %s.
- The load comes from the same machine. Ratios of two runs differ by about a tenth, on a busy machine by more.
`, page.Machine(), r.settings.rounds, r.settings.requests, r.settings.tokens,
		r.table(), load.Connections, load.InFlight, load.Connections*load.InFlight, floodRate, load.Connections, load.Connections, r.settings.edits, "`go run ./bench -enforce` fails beyond it")
}
