package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/program"
)

// floodRate is how many bad passwords a second a flood holds.
const floodRate = 1000

// floodBar is the most that key traffic may feel of a flood.
const floodBar = 1.3

// pause is between two questions of one client: keys then take a part of one
// core, and what they feel is not their own crowd.
const pause = time.Millisecond

// floodRound is what key traffic cost without a flood and within one.
type floodRound struct{ median, late, cpu float64 }

// flooded measures keys in turns without and within a flood of bad passwords,
// each another one. Latency is that of a few clients who pause, so that no
// crowd of their own is in their way. CPU time is that of keys asked for as fast
// as they are answered, so that they cost as much as the hashing beside them;
// hashing is paid by the same process, and so is what is refused without it; both
// are measured alone and taken off.
func flooded(ctx context.Context, s settings, p *program.Program, progress io.Writer) ([]floodRound, error) {
	if err := driven(ctx, p, warmUp); err != nil {
		return nil, err
	}
	if err := lasting(ctx, p); err != nil {
		return nil, err
	}
	var rounds []floodRound
	for i := range s.rounds {
		fmt.Fprintf(progress, "flood, round %d of %d\n", i+1, s.rounds)
		latency, err := floodLatency(ctx, s, p, 4*i)
		if err != nil {
			return nil, err
		}
		latency.cpu, err = floodCPU(ctx, s, p, 4*i+1)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, latency)
	}
	return rounds, nil
}

// firstFlood is how long a flood lasts before one is measured: what wrong
// passwords may take at once is used up by then.
const firstFlood = 6 * time.Second

func lasting(ctx context.Context, p *program.Program) error {
	_, err := floodTurn(ctx, p, math.MaxInt32, func() error {
		time.Sleep(firstFlood)
		return nil
	})
	return err
}

// floodLatency is how much longer keys take within the flood of that number.
func floodLatency(ctx context.Context, s settings, p *program.Program, flood int) (floodRound, error) {
	var took [2][]time.Duration
	for i, number := range []int{noFlood, flood} {
		_, err := floodTurn(ctx, p, number, func() (err error) {
			took[i], err = p.Checks.Stroll(ctx, load.Connections, s.keys, pause, withKey.Check, load.Allowed(username, mobile))
			return err
		})
		if err != nil {
			return floodRound{}, err
		}
	}
	return floodRound{median: at(took[1], 0.5) / at(took[0], 0.5), late: at(took[1], 0.99) / at(took[0], 0.99)}, nil
}

// hashed is how many passwords are hashed, one after the other, to know what
// one costs.
const hashed = 25

// floodCPU is how much more a key costs within the flood of that number, or
// the one after it.
func floodCPU(ctx context.Context, s settings, p *program.Program, flood int) (float64, error) {
	if err := settle(ctx, p, flood); err != nil {
		return 0, err
	}
	hashing, refusing, err := floodPrice(ctx, p, flood)
	if err != nil {
		return 0, err
	}
	drive := func() error { return driven(ctx, p, s.requests) }
	quiet, err := floodTurn(ctx, p, noFlood, drive)
	if err != nil {
		return 0, err
	}
	within, err := floodTurn(ctx, p, flood+1, drive)
	return (within.cpu - hashing*within.hashes - refusing*within.refusals) / quiet.cpu, err
}

// floodPrice is what one password costs that is looked at, and one that is not,
// when there are no keys beside them.
func floodPrice(ctx context.Context, p *program.Program, flood int) (hashing, refusing float64, err error) {
	alone, err := floodTurn(ctx, p, noFlood, func() error { return hash(ctx, p, hashed, flood) })
	if err != nil {
		return 0, 0, err
	}
	empty, err := floodTurn(ctx, p, flood+2, func() error {
		time.Sleep(2 * time.Second)
		return nil
	})
	hashing = alone.cpu / hashed
	return hashing, max(0, empty.cpu-hashing*empty.hashes) / empty.refusals, err
}

// hash shows passwords of a flood one after the other until each was looked at:
// refused ones have to keep a pace.
func hash(ctx context.Context, p *program.Program, n, flood int) error {
	ctx, cancel := context.WithTimeout(ctx, program.Patience)
	defer cancel()
	for i := range n {
		tooMany, err := true, error(nil)
		for tooMany && err == nil {
			tooMany, err = lookedAt(ctx, p, badPassword(flood)(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookedAt shows one password. When there were too many it waits a little.
func lookedAt(ctx context.Context, p *program.Program, q *load.CheckRequest) (tooMany bool, err error) {
	_, err = p.Checks.Stroll(ctx, 1, 1, 0, func(int) *load.CheckRequest { return q }, func(answer *load.CheckResponse) error {
		tooMany = load.Denied(http.StatusTooManyRequests)(answer) == nil
		if tooMany {
			return nil
		}
		return load.Denied(http.StatusUnauthorized)(answer)
	})
	if tooMany {
		time.Sleep(50 * time.Millisecond)
	}
	return tooMany, err
}

// settle waits until the last flood has ended at the server too.
func settle(ctx context.Context, p *program.Program, flood int) error {
	return hash(ctx, p, 1, -flood-2)
}

// withKey is what a client with a key asks.
var withKey = load.Question{Method: "GET", Path: "/catalog", Header: "x-api-key", Value: key}

func driven(ctx context.Context, p *program.Program, n int) error {
	return p.Checks.Ask(ctx, n, withKey.Check, load.Allowed(username, mobile))
}

// floodCost is what a turn cost the server, how many passwords were looked at,
// and how many were refused without.
type floodCost struct{ cpu, hashes, refusals float64 }

// noFlood is a turn without one.
const noFlood = -1

// floodTurn does some work within the flood of that number.
func floodTurn(ctx context.Context, p *program.Program, flood int, work func() error) (floodCost, error) {
	if flood == noFlood {
		spent, err := p.Meter.Measure(ctx, work)
		return floodCost{cpu: spent.CPU.Seconds()}, err
	}
	passwords := p.Checks.StartFlood(ctx, floodRate, badPassword(flood))
	spent, err := p.Meter.Measure(ctx, work)
	refused, tooMany, failed := passwords.Stop()
	if tooMany == 0 { // in a short turn it may be that none is looked at
		failed = errors.Join(failed, fmt.Errorf("all %d passwords were looked at: that was no flood", refused))
	}
	return floodCost{cpu: spent.CPU.Seconds(), hashes: float64(refused), refusals: float64(tooMany)}, errors.Join(err, failed)
}

// badPassword makes passwords of a flood, none like another's.
func badPassword(flood int) func(int) *load.CheckRequest {
	return func(i int) *load.CheckRequest {
		pair := fmt.Sprintf("mobile:wrong-password-%d-%d", flood, i)
		q := load.Question{Method: "GET", Path: "/catalog", Header: "authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}
		return q.Check(i)
	}
}

// at is a part of sorted times, in seconds.
func at(took []time.Duration, part float64) float64 {
	return took[int(float64(len(took)-1)*part)].Seconds()
}

// floodTable shows what keys feel, in Markdown that reads on a terminal too.
func floodTable(rounds []floodRound) string {
	var b strings.Builder
	const line = "| %-38s | %6s | %11s | %5s |\n"
	fmt.Fprintf(&b, line, "keys within a flood of bad passwords", "×", "rounds", "bar")
	fmt.Fprintf(&b, line, "---", "---:", "---:", "---:")
	for _, figure := range []struct {
		name, bar string
		of        func(floodRound) float64
	}{
		{"median latency", fmt.Sprintf("≤ %.1f", floodBar), func(f floodRound) float64 { return f.median }},
		{"latency of the slowest hundredth", "", func(f floodRound) float64 { return f.late }},
		{"CPU time a request, hashing aside", fmt.Sprintf("≤ %.1f", floodBar), func(f floodRound) float64 { return f.cpu }},
	} {
		median, least, most := middle(rounds, figure.of)
		fmt.Fprintf(&b, line, figure.name, fmt.Sprintf("%.2f", median), fmt.Sprintf("%.2f–%.2f", least, most), figure.bar)
	}
	return b.String()
}

// middle is the median of what a round's figure is in all of them.
func middle(rounds []floodRound, of func(floodRound) float64) (median, least, most float64) {
	var figures []float64
	for _, r := range rounds {
		figures = append(figures, of(r))
	}
	if len(figures) == 0 {
		return math.NaN(), math.NaN(), math.NaN() // is within no bar
	}
	slices.Sort(figures)
	return figures[len(figures)/2], figures[0], figures[len(figures)-1]
}
