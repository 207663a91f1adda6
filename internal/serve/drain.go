package serve

import (
	"context"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Drain says how a process leaves.
type Drain struct {
	// NotReady is how long it says that it isn't ready while it still answers:
	// longer than the gateway takes to notice.
	NotReady time.Duration
	// Timeout is how long requests under way may take after that.
	Timeout time.Duration
}

// drain leaves without a failed request: first the word spreads that this
// instance isn't ready, then no new work is taken, then what is under way ends.
func (d Drain) run(status *status, sleep func(time.Duration), calls *grpc.Server, doors ...*http.Server) {
	status.drain()
	for _, door := range doors {
		door.SetKeepAlivesEnabled(false) // answers say Connection: close
	}
	sleep(d.NotReady)
	ctx, cancel := context.WithTimeout(context.Background(), d.Timeout)
	defer cancel()
	var ended sync.WaitGroup
	ended.Go(func() { stopCalls(ctx, calls) })
	for _, door := range doors {
		ended.Go(func() { stopDoor(ctx, door) })
	}
	ended.Wait()
}

func stopCalls(ctx context.Context, calls *grpc.Server) {
	hard := context.AfterFunc(ctx, calls.Stop)
	defer hard()
	calls.GracefulStop()
}

func stopDoor(ctx context.Context, door *http.Server) {
	if door.Shutdown(ctx) != nil {
		_ = door.Close() // what is under way has had its time
	}
}
