// Command bench puts Postern beside servers that do nothing, in one run, and
// reports what it costs above that floor: CPU time of the server process and
// allocations, per request, as ratios.
//
//	go run ./bench            print the table
//	go run ./bench -write     also write its part of bench/REPORT.md
//	go run ./bench -enforce   exit with 1 when a ratio is beyond its bar
//	go run ./bench -short     few requests: whether it works, not how fast
//
// It needs Linux, whose /proc tells a process's CPU time.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postern-authz/postern/bench/page"
	"github.com/postern-authz/postern/bench/program"
)

// settings are how long the run is and what it ends in.
type settings struct {
	rounds, requests, tokens, keys, edits int
	write, enforce                        bool
}

func main() { os.Exit(exitCode()) }

func exitCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	within, err := run(ctx, readSettings(), os.Stdout, os.Stderr)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	case !within:
		fmt.Fprintln(os.Stderr, "bench: a ratio is beyond its bar")
		return 1
	}
	return 0
}

func readSettings() settings {
	var s settings
	short := flag.Bool("short", false, "few requests: whether it works, not how fast")
	flag.IntVar(&s.rounds, "rounds", 5, "how often every case has its turn")
	flag.IntVar(&s.requests, "requests", 20_000, "requests in a turn")
	flag.IntVar(&s.tokens, "tokens", 5_000, "requests in a turn of the case that needs a new token for each")
	flag.IntVar(&s.keys, "keys", 6_000, "requests with a key in a turn beside the flood of passwords")
	flag.IntVar(&s.edits, "edits", 100, "edits of a policy, of each kind")
	flag.BoolVar(&s.write, "write", false, "write its part of bench/REPORT.md")
	flag.BoolVar(&s.enforce, "enforce", false, "exit with 1 when a ratio is beyond its bar")
	flag.Parse()
	if *short {
		s.rounds, s.requests, s.tokens, s.keys, s.edits = 2, 2_000, 500, 1_000, 5
	}
	return s
}

// run builds the servers, starts them, gives every case its turns and reports.
// within says whether every ratio is within its bar, or that it doesn't matter.
func run(ctx context.Context, s settings, out, progress io.Writer) (within bool, err error) {
	root, err := program.ModuleRoot(ctx)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left lies in the temporary folder

	fmt.Fprintln(progress, "building Postern and the no-op server, signing tokens")
	tokens, err := signTokens(filepath.Join(root, "test", "keys", "shop-rs256.pem"), s.tokens*s.rounds+warmUp+1, time.Now())
	if err != nil {
		return false, err
	}
	servers, err := startServers(ctx, root, dir)
	if err != nil {
		return false, err
	}
	defer servers.stop()

	results, err := measure(ctx, s, servers, casesFor(s, tokens), progress)
	if err != nil {
		return false, fmt.Errorf("%w\n%s", err, servers.lastWords())
	}
	floods, err := flooded(ctx, s, servers.postern, progress)
	if err != nil {
		return false, fmt.Errorf("a flood of passwords: %w\n%s", err, servers.lastWords())
	}
	edits, err := edited(ctx, s, root, dir, progress)
	if err != nil {
		return false, fmt.Errorf("edits under traffic: %w", err)
	}
	report := newReport(s, results, floods, edits)
	fmt.Fprint(out, report.table())
	if s.write {
		err = page.Replace(filepath.Join(root, "bench", "REPORT.md"), "go run ./bench", report.page())
	}
	return !s.enforce || report.within(), err
}
