package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/program"
)

// warmUp is how many requests each case has before anything is measured.
const warmUp = 500

// The example's consumer that every case is about, and its key.
const (
	username = "X-Consumer-Username"
	mobile   = "mobile-app-prod-67a1b2c3"
	key      = "demo-mobile-key-0123456789abcdefghijklmnopqrstuv"
)

// testCase is one kind of request. first numbers its questions, so that a turn
// may ask what no turn asked before.
type testCase struct {
	name string
	// bar is the most that CPU time a request may be of the floor's; 0: none.
	bar      float64
	requests int
	ask      func(ctx context.Context, s *program.Program, first, n int) error
	// floor names the case that this one is compared with, which stands before
	// it; empty for those of the no-op servers.
	floor string
	// tuned asks the no-op server whose collector is set as Postern's is.
	tuned bool
}

const (
	grpcFloor = "no-op grpc-go"
	httpFloor = "no-op net/http"
	noPolicy  = "API key, no policy"
)

// casesFor lists the cases, each after its floor. The last token is the one
// that is shown again and again.
func casesFor(s settings, tokens []string) []testCase {
	order := load.Question{Method: "GET", Path: "/orders/42?expand=items", Header: "x-api-key", Value: key}
	bearer := func(token string) load.Question {
		return load.Question{Method: order.Method, Path: order.Path, Header: "authorization", Value: "Bearer " + token}
	}
	to := func(path string) load.Question {
		q := order
		q.Path = path + "/42?expand=items"
		return q
	}
	denied := order
	denied.Method, denied.Path = "POST", "/reports/42"
	unknown := func(i int) load.Question {
		return load.Question{Method: order.Method, Path: order.Path, Header: "x-api-key", Value: fmt.Sprintf("unknown-key-%036d", i)}
	}
	again := func(q load.Question) func(int) load.Question { return func(int) load.Question { return q } }
	allowed := load.Allowed(username, mobile)
	return []testCase{
		{name: grpcFloor, requests: s.requests, ask: check(again(order), load.Allowed("x-noop", "ok"))},
		{name: "no-op grpc-go with GOGC=400", requests: s.requests, floor: grpcFloor, tuned: true, ask: check(again(order), load.Allowed("x-noop", "ok"))},
		{name: "cached API key + policy", bar: 2, requests: s.requests, floor: grpcFloor, ask: check(again(order), allowed)},
		{name: "cached RS256 token + policy", bar: 2, requests: s.requests, floor: grpcFloor, ask: check(again(bearer(tokens[len(tokens)-1])), allowed)},
		{name: "every RS256 token new", requests: s.tokens, floor: grpcFloor, ask: check(func(i int) load.Question { return bearer(tokens[i]) }, allowed)},
		{name: "policy that can't be remembered", bar: 4, requests: s.requests, floor: grpcFloor, ask: check(again(to("/timed")), allowed)},
		{name: noPolicy, requests: s.requests, floor: grpcFloor, ask: check(again(to("/plain")), allowed)},
		{name: "RBAC of 20 rules, remembered", bar: 1.15, requests: s.requests, floor: noPolicy, ask: check(again(to("/roles/remembered")), allowed)},
		{name: "RBAC of 20 rules, evaluated", bar: 3.5, requests: s.requests, floor: grpcFloor, ask: check(again(to("/roles/afresh")), allowed)},
		{name: "denial: unknown key, every one new", requests: s.requests, floor: grpcFloor, ask: check(unknown, load.Denied(http.StatusUnauthorized))},
		{name: "denial by policy", requests: s.requests, floor: grpcFloor, ask: check(again(denied), load.Denied(http.StatusForbidden))},
		{name: httpFloor, requests: s.requests, ask: forward(order, "x-noop", "ok")},
		{name: "cached API key + policy, HTTP (nginx)", requests: s.requests, floor: httpFloor, ask: forward(order, username, mobile)},
	}
}

// check asks over gRPC.
func check(question func(int) load.Question, judge load.Judge) func(context.Context, *program.Program, int, int) error {
	return func(ctx context.Context, s *program.Program, first, n int) error {
		return s.Checks.Ask(ctx, n, func(i int) *load.CheckRequest { return question(first + i).Check(first + i) }, judge)
	}
}

// forward asks over HTTP.
func forward(q load.Question, name, value string) func(context.Context, *program.Program, int, int) error {
	return func(ctx context.Context, s *program.Program, first, n int) error {
		return s.Doors.Ask(ctx, n, func(i int) http.Header { return q.Forward(first + i) }, name, value)
	}
}

// result is a case with what each of its turns cost.
type result struct {
	testCase
	turns []cost
}

// cost is what one request cost the server.
type cost struct{ cpu, allocations float64 }

// measure warms every case up and then gives each a turn a round, so that
// whatever else the machine does falls on all of them.
func measure(ctx context.Context, s settings, p *trio, cases []testCase, progress io.Writer) ([]result, error) {
	results := make([]result, len(cases))
	for i, c := range cases {
		results[i].testCase = c
		if err := c.ask(ctx, p.serverOf(c), 0, warmUp); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for round := range s.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, s.rounds)
		for i, c := range cases {
			cost, err := turn(ctx, p.serverOf(c), c, warmUp+round*c.requests)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			results[i].turns = append(results[i].turns, cost)
		}
	}
	return results, nil
}

func turn(ctx context.Context, s *program.Program, c testCase, first int) (cost, error) {
	spent, err := s.Meter.Measure(ctx, func() error { return c.ask(ctx, s, first, c.requests) })
	n := float64(c.requests)
	return cost{cpu: spent.CPU.Seconds() / n, allocations: spent.Allocations / n}, err
}

func (p *trio) serverOf(c testCase) *program.Program {
	switch {
	case c.tuned:
		return p.tuned
	case c.floor == "":
		return p.noop
	}
	return p.postern
}
