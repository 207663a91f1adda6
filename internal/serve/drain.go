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

// door is a server that can be closed gently or at once.
type door interface {
	Shutdown(ctx context.Context) error
	Close() error
}

// run leaves without a failed request: first the word spreads that this
// instance isn't ready, then no new work is taken, then what is under way ends.
func (d Drain) run(ctx context.Context, status *status, pause func(time.Duration), calls *grpc.Server, doors door) {
	status.drain()
	pause(d.NotReady)
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	var ended sync.WaitGroup
	ended.Go(func() { stopCalls(ctx, calls) })
	ended.Go(func() { stopDoor(ctx, doors) })
	ended.Wait()
}

func stopCalls(ctx context.Context, calls *grpc.Server) {
	unforced := context.AfterFunc(ctx, calls.Stop)
	defer unforced()
	calls.GracefulStop()
}

func stopDoor(ctx context.Context, d door) {
	if d.Shutdown(ctx) != nil {
		_ = d.Close() // what is under way has had its time
	}
}

// leaving closes connections with their next answer while the process drains,
// so that the gateway opens its next one elsewhere. Closing idle ones instead
// would race with a request on its way.
func leaving(status *status, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
