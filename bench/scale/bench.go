package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/program"
)

// bench is one run over two stores.
type bench struct {
	settings
	root, dir string
	stores    *stores
	progress  io.Writer
}

// found is what was measured of one store.
type found struct {
	// start is that of each start, in seconds.
	start []float64
	// begun and filled are the memory after the start, and after checks of many
	// different keys.
	begun, filled load.Memory
	// cached and uncached are CPU seconds a check, for each round.
	cached, uncached []float64
	// late are the checks that had no answer of the store in time.
	late   int
	lookUp lookUp
}

// measure takes both stores through everything, in turns.
func (b *bench) measure(ctx context.Context) (*report, error) {
	r := &report{settings: b.settings}
	for _, step := range []func(context.Context, *report) error{b.starts, b.checks, b.uncached, b.lookUps} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// pair are Postern on a few keys and on many.
type pair struct{ few, many *program.Program }

func (p pair) stop() {
	p.few.Stop()
	p.many.Stop()
}

func (p pair) lastWords() string { return p.many.LastWords() }

func (b *bench) pair(ctx context.Context, memory int) (p pair, err error) {
	if p.few, err = b.serve(ctx, b.stores.few, memory); err != nil {
		return p, err
	}
	if p.many, err = b.serve(ctx, b.stores.many, memory); err != nil {
		p.few.Stop()
	}
	return p, err
}

// starts starts both a few times.
func (b *bench) starts(ctx context.Context, r *report) error {
	for range 3 {
		p, err := b.pair(ctx, cacheMemory)
		if err != nil {
			return err
		}
		r.few.start = append(r.few.start, p.few.Start.Seconds())
		r.many.start = append(r.many.start, p.many.Start.Seconds())
		p.stop()
	}
	return nil
}

// checks measures those that are remembered, beside a server that does nothing,
// and then fills the cache.
func (b *bench) checks(ctx context.Context, r *report) error {
	noop, err := program.StartNoop(ctx, b.dir)
	if err != nil {
		return err
	}
	defer noop.Stop()
	p, err := b.pair(ctx, cacheMemory)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := b.remembered(ctx, r, p, noop); err != nil {
		return fmt.Errorf("%w\n%s", err, p.lastWords())
	}
	return b.manyKeys(ctx, r, p)
}

func (b *bench) remembered(ctx context.Context, r *report, p pair, noop *program.Program) (err error) {
	keys, err := questions(fewKeys, func(i int) int { return i })
	if err != nil {
		return err
	}
	for _, server := range []*program.Program{p.few, p.many} {
		if err := known(ctx, server, fewKeys); err != nil {
			return err
		}
		if err := remember(ctx, server, keys); err != nil {
			return err
		}
	}
	if r.few.begun, err = p.few.Meter.Memory(); err != nil {
		return err
	}
	if r.many.begun, err = p.many.Meter.Memory(); err != nil {
		return err
	}
	again := func(server *program.Program, judge load.Judge) func() error {
		return func() error { return ask(ctx, server, keys, b.requests, 0, judge) }
	}
	for round := range b.rounds {
		fmt.Fprintf(b.progress, "remembered checks, round %d of %d\n", round+1, b.rounds)
		err := b.turns(ctx, round, []turn{
			{noop, &r.noop, again(noop, load.Allowed("x-noop", "ok"))}, {p.few, &r.few.cached, again(p.few, allowed)}, {p.many, &r.many.cached, again(p.many, allowed)},
		}, b.requests)
		if err != nil {
			return err
		}
	}
	return nil
}

// turn is a server's part of a round: what it is asked, and where the cost of
// that is noted.
type turn struct {
	server *program.Program
	cpu    *[]float64
	ask    func() error
}

// turns gives each server its turn of n questions. Who comes first changes with
// the round.
func (b *bench) turns(ctx context.Context, round int, turns []turn, n int) error {
	if round%2 == 1 {
		slices.Reverse(turns)
	}
	for _, t := range turns {
		spent, err := t.server.Meter.Measure(ctx, t.ask)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, t.server.LastWords())
		}
		*t.cpu = append(*t.cpu, spent.CPU.Seconds()/float64(n))
	}
	return nil
}

// manyKeys asks for more different keys than the cache has room for.
func (b *bench) manyKeys(ctx context.Context, r *report, p pair) (err error) {
	fmt.Fprintf(b.progress, "%d different keys\n", b.different)
	const part = 50_000 // questions in memory here
	for first := 0; first < b.different; first += part {
		keys, err := questions(min(part, b.different-first), func(i int) int { return scattered(first+i, b.keys) })
		if err != nil {
			return err
		}
		late, err := lookUpEach(ctx, p.many, keys)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, p.lastWords())
		}
		r.many.late += late
	}
	if r.few.filled, err = p.few.Meter.Memory(); err != nil {
		return err
	}
	r.many.filled, err = p.many.Meter.Memory()
	return err
}

// uncached measures checks where nothing is remembered: each looks its key up.
func (b *bench) uncached(ctx context.Context, r *report) error {
	p, err := b.pair(ctx, 0)
	if err != nil {
		return err
	}
	defer p.stop()
	few, err := questions(b.each, func(i int) int { return scattered(i, fewKeys) })
	if err != nil {
		return err
	}
	for round := range b.rounds {
		fmt.Fprintf(b.progress, "checks that look up, round %d of %d\n", round+1, b.rounds)
		many, err := questions(b.each, func(i int) int { return scattered(round*b.each+i, b.keys) })
		if err != nil {
			return err
		}
		look := func(server *program.Program, keys []load.Question, f *found) turn {
			return turn{server, &f.uncached, func() error {
				late, err := lookUpEach(ctx, server, keys)
				f.late += late
				return err
			}}
		}
		err = b.turns(ctx, round, []turn{look(p.few, few, &r.few), look(p.many, many, &r.many)}, b.each)
		if err != nil {
			return err
		}
	}
	return nil
}
