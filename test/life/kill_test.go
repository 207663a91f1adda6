package life

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// writers write at once when the program is killed.
const writers = 4

// TestKilled kills the program while the API writes, again and again. Each time
// it starts cleanly, and what was acknowledged holds.
func TestKilled(t *testing.T) {
	rounds := 30
	if testing.Short() || raceEnabled {
		rounds = 5
	}
	i := start(t, folder(t, onSQLite, "  keys: {max_credentials: 10000}\n", "telemetry: {log_level: warn}\n"))
	i.consumer(t, "shop")
	made, ended := 0, 0
	for range rounds {
		w := &writing{instance: i}
		w.untilKilled(t)
		i.Restart(t)
		for _, k := range w.made {
			i.settles(t, k, allowed)
		}
		for _, k := range w.revoked {
			i.settles(t, k, refused)
		}
		i.must(t, http.MethodGet, "/v1/audit/verify", "", nil)
		made, ended = made+len(w.made), ended+len(w.revoked)
	}
	t.Logf("%d rounds: %d keys and %d revocations were acknowledged, and all of them hold", rounds, made, ended)
	if made == 0 || ended == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// writing is what was acknowledged before the program was killed.
type writing struct {
	*instance
	acknowledged  atomic.Int64
	mu            sync.Mutex
	made, revoked []key
}

// untilKilled writes until the program is killed, some time after it has
// acknowledged some writes.
func (w *writing) untilKilled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	for range writers {
		work.Go(func() {
			for ctx.Err() == nil {
				if w.write(ctx) != nil {
					return
				}
			}
		})
	}
	for least := int64(2 + rand.IntN(40)); w.acknowledged.Load() < least && !w.Exited(); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // anywhere in a write
	w.Signal(t, syscall.SIGKILL)
	w.Wait(t)
	cancel()
	work.Wait()
}

// write makes a key, and revokes every other one.
func (w *writing) write(ctx context.Context) error {
	var k key
	if err := w.acknowledge(ctx, "/v1/consumers/shop/keys", `{}`, &k); err != nil {
		return err
	}
	if rand.IntN(2) == 0 {
		w.keep(&w.made, k)
		return nil
	}
	if err := w.acknowledge(ctx, "/v1/keys/"+k.ID+"/revoke", `{"reason":"test"}`, &revocation{}); err != nil {
		return err // it may have been revoked or not
	}
	w.keep(&w.revoked, k)
	return nil
}

func (w *writing) keep(list *[]key, k key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, k)
}

func (w *writing) acknowledge(ctx context.Context, path, body string, into any) error {
	status, content, err := w.call(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("%d %s", status, content)
	}
	w.acknowledged.Add(1)
	return json.Unmarshal(content, into)
}
