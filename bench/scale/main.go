// Command scale shows that Postern costs the same with millions of keys as with
// a thousand. It fills two stores, starts the real program on each, and measures
// its start, its memory, and the CPU time of checks that are remembered and of
// checks that are not, side by side and beside a server that does nothing.
//
//	go run ./bench/scale -driver sqlite                 ten million keys in SQLite
//	go run ./bench/scale -driver postgres               in a PostgreSQL that it starts
//	go run ./bench/scale -driver sqlite -write          also write its part of bench/REPORT.md
//	go run ./bench/scale -driver sqlite -enforce        exit with 1 when a figure is beyond its bar
//	go run ./bench/scale -driver sqlite -short          few keys: whether it works, not what it costs
//	go run ./bench/scale -driver sqlite -dir FOLDER     keep the stores there, and use those that are there
//
// It needs Linux, and for ten million keys 20 GB of disk and half an hour.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/postern-authz/postern/bench/page"
	"github.com/postern-authz/postern/bench/program"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// fewKeys is what a store of many keys is held against.
const fewKeys = 1000

// settings are how large the run is and what it ends in.
type settings struct {
	driver, dir                             string
	keys, rounds, requests, different, each int
	write, enforce                          bool
}

func main() { os.Exit(exitCode()) }

func exitCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	within, err := run(ctx, readSettings(), os.Stdout, os.Stderr)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "scale:", err)
		return 1
	case !within:
		fmt.Fprintln(os.Stderr, "scale: a figure is beyond its bar")
		return 1
	}
	return 0
}

func readSettings() settings {
	var s settings
	short := flag.Bool("short", false, "few keys: whether it works, not what it costs")
	flag.StringVar(&s.driver, "driver", sqlstore.SQLite, "sqlite or postgres")
	flag.StringVar(&s.dir, "dir", "", "where the stores are kept; left out: a temporary folder that is removed")
	flag.IntVar(&s.keys, "keys", 10_000_000, "keys in the large store")
	flag.IntVar(&s.rounds, "rounds", 9, "how often each server has its turn")
	flag.IntVar(&s.requests, "requests", 20_000, "remembered checks in a turn")
	flag.IntVar(&s.different, "different", 150_000, "different keys that fill the cache")
	flag.IntVar(&s.each, "lookups", 4_000, "checks in a turn without a cache")
	flag.BoolVar(&s.write, "write", false, "write its part of bench/REPORT.md")
	flag.BoolVar(&s.enforce, "enforce", false, "exit with 1 when a figure is beyond its bar")
	flag.Parse()
	if *short {
		s = s.short()
	}
	return s
}

func (s settings) short() settings {
	s.keys, s.rounds, s.requests, s.different, s.each = 20_000, 2, 1_000, 5_000, 800
	return s
}

// run fills, measures and reports. within says whether every figure is within
// its bar, or that it doesn't matter.
func run(ctx context.Context, s settings, out, progress io.Writer) (within bool, err error) {
	root, err := program.ModuleRoot(ctx)
	if err != nil {
		return false, err
	}
	dir, remove, err := s.folder()
	if err != nil {
		return false, err
	}
	defer remove()
	if err := program.Build(ctx, root, dir); err != nil {
		return false, err
	}
	stores, err := openStores(ctx, s, dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	if err := stores.fill(ctx, progress); err != nil {
		return false, err
	}
	b := bench{settings: s, root: root, dir: dir, stores: stores, progress: progress}
	r, err := b.measure(ctx)
	if err != nil {
		return false, err
	}
	fmt.Fprint(out, r.table())
	if s.write {
		err = page.Replace(filepath.Join(root, "bench", "REPORT.md"), s.command(), r.part())
	}
	return !s.enforce || r.within(), err
}

// command names the part of the report.
func (s settings) command() string { return "go run ./bench/scale -driver " + s.driver }

// folder makes the run's folder. PostgreSQL runs as another user, who must be
// able to enter it.
func (s settings) folder() (dir string, remove func(), err error) {
	if s.dir != "" {
		dir, err = filepath.Abs(s.dir)
		return dir, func() {}, errors.Join(err, os.MkdirAll(dir, 0o755))
	}
	if dir, err = os.MkdirTemp("", "postern-scale-"); err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, os.Chmod(dir, 0o755) // what is left lies in the temporary folder
}
