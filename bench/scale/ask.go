package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/program"
)

// username is the header of identity.headers: apisix that names the consumer.
const username = "X-Consumer-Username"

// scattered visits the numbers below n in an order like a random one, each once
// in n steps.
func scattered(i, n int) int {
	const prime = 2_654_435_761 // larger than any n, so that it has no divisor in common with it
	return int(uint64(i) % uint64(n) * prime % uint64(n))
}

// questions are orders that are asked for with the keys of those numbers.
func questions(n int, number func(i int) int) ([]load.Question, error) {
	all := make([]load.Question, n)
	for i := range all {
		key, err := keyOf(number(i))
		if err != nil {
			return nil, err
		}
		all[i] = load.Question{Method: "GET", Path: "/orders/42", Header: "x-api-key", Value: string(key.Reveal())}
	}
	return all, nil
}

// ask puts n of the questions, from the first one on, round and round.
func ask(ctx context.Context, server *program.Program, all []load.Question, n, first int, judge load.Judge) error {
	return server.Checks.Ask(ctx, n, func(i int) *load.CheckRequest { return all[(first+i)%len(all)].Check(first + i) }, judge)
}

// lookers is how many checks that look up are under way at once.
const lookers = 4

// lookUpEach asks each question once, where the answer is not remembered. late
// are those that were refused because the store gave no answer within its time,
// as where a busy machine lets a database wait; too many of them fail.
func lookUpEach(ctx context.Context, server *program.Program, all []load.Question) (late int, err error) {
	var faults atomic.Int64
	judge := func(answer *load.CheckResponse) error {
		if load.Denied(http.StatusServiceUnavailable)(answer) == nil {
			faults.Add(1)
			return nil
		}
		return allowed(answer)
	}
	_, err = server.Checks.Stroll(ctx, min(lookers, len(all)), len(all), 0, func(i int) *load.CheckRequest { return all[i].Check(i) }, judge)
	late = int(faults.Load())
	if err == nil && late > len(all)/100 {
		err = fmt.Errorf("%d of %d checks had no answer of the store in time", late, len(all))
	}
	return late, err
}

// remember asks the questions until each was answered, so that it is
// remembered.
func remember(ctx context.Context, server *program.Program, all []load.Question) error {
	for {
		if late, err := lookUpEach(ctx, server, all); err != nil || late == 0 {
			return err
		}
	}
}

// allowed judges that an answer lets some consumer through.
func allowed(answer *load.CheckResponse) error {
	if code := answer.GetStatus().GetCode(); code != 0 {
		return fmt.Errorf("code %d, body %q, want an allow", code, answer.GetDeniedResponse().GetBody())
	}
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if h.GetHeader().GetKey() == username && strings.HasPrefix(h.GetHeader().GetValue(), "consumer-") {
			return nil
		}
	}
	return fmt.Errorf("an allow without the header %s", username)
}

// known asks for some of the keys below n, and holds each answer to its own
// consumer.
func known(ctx context.Context, server *program.Program, n int) error {
	for i := range 50 {
		number := scattered(i, n)
		one, err := questions(1, func(int) int { return number })
		if err != nil {
			return err
		}
		if err := ask(ctx, server, one, 1, i, load.Allowed(username, consumerName(number))); err != nil {
			return err
		}
	}
	return nil
}
