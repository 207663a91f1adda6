package load

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// Flood is a stream of questions at a steady rate, whatever becomes of them.
type Flood struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	refused atomic.Int64
	tooMany atomic.Int64
	failed  atomic.Pointer[error]
}

// floodInFlight bounds what a flood has under way: beyond it, it waits.
const floodInFlight = 256

// StartFlood puts so many questions a second until it is stopped. Each must be
// answered with 401 or 429.
func (g *GRPC) StartFlood(ctx context.Context, rate int, question func(i int) *CheckRequest) *Flood {
	ctx, cancel := context.WithCancel(ctx)
	f := &Flood{cancel: cancel}
	f.done.Go(func() { f.send(ctx, g, rate, question) })
	return f
}

// send makes up for what a late tick left out.
func (f *Flood) send(ctx context.Context, g *GRPC, rate int, question func(i int) *CheckRequest) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	places := make(chan struct{}, floodInFlight)
	start, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(start).Seconds() * float64(rate)); sent < due && ctx.Err() == nil; sent++ {
			i := sent
			places <- struct{}{}
			f.done.Go(func() {
				defer func() { <-places }()
				f.ask(ctx, g, i, question(i))
			})
		}
	}
}

func (f *Flood) ask(ctx context.Context, g *GRPC, i int, question *CheckRequest) {
	answer, err := authv3.NewAuthorizationClient(g.connections[i%Connections]).Check(ctx, question)
	status := int(answer.GetDeniedResponse().GetStatus().GetCode())
	switch {
	case ctx.Err() != nil: // it was stopped
	case err != nil:
		f.failed.CompareAndSwap(nil, &err)
	case status == http.StatusUnauthorized:
		f.refused.Add(1)
	case status == http.StatusTooManyRequests:
		f.tooMany.Add(1)
	default:
		err = fmt.Errorf("a bad password was answered with code %d, HTTP status %d", answer.GetStatus().GetCode(), status)
		f.failed.CompareAndSwap(nil, &err)
	}
}

// Stop ends the flood. refused were looked at, tooMany were not.
func (f *Flood) Stop() (refused, tooMany int64, err error) {
	f.cancel()
	f.done.Wait()
	if failed := f.failed.Load(); failed != nil {
		err = *failed
	}
	return f.refused.Load(), f.tooMany.Load(), err
}

// Stroll puts n questions, parted among so many clients, who pause between two
// of them so that the machine is not busy with questions alone. It returns how
// long the answers took, the shortest first.
func (g *GRPC) Stroll(ctx context.Context, clients, n int, pause time.Duration, question func(i int) *CheckRequest, judge Judge) ([]time.Duration, error) {
	took := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var workers sync.WaitGroup
	for w := range clients {
		workers.Go(func() { took[w], errs[w] = g.stroll(ctx, w, n/clients, pause, question, judge) })
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return all, nil
}

func (g *GRPC) stroll(ctx context.Context, worker, n int, pause time.Duration, question func(i int) *CheckRequest, judge Judge) ([]time.Duration, error) {
	client := authv3.NewAuthorizationClient(g.connections[worker%Connections])
	took := make([]time.Duration, 0, n)
	for i := range n {
		q := question(worker*n + i)
		begin := time.Now()
		answer, err := client.Check(ctx, q)
		took = append(took, time.Since(begin))
		if err != nil {
			return nil, fmt.Errorf("check %d: %w", i, err)
		}
		if err := judge(answer); err != nil {
			return nil, fmt.Errorf("check %d: %w", i, err)
		}
		time.Sleep(pause)
	}
	return took, nil
}
