package harness

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Traffic is a stream of requests from several clients at once, while a test
// does something to what serves them.
type Traffic struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	statuses map[int]int
	failures []string
	total    int
}

// mostRequests bounds a stream whose test has lost its way.
const mostRequests = 500_000

// StartTraffic sends the request from so many workers until it is stopped.
func StartTraffic(t testing.TB, client *Client, workers int, request func() Request) *Traffic {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Traffic{cancel: cancel, statuses: map[int]int{}}
	for range workers {
		s.done.Go(func() { s.send(ctx, client, request) })
	}
	t.Cleanup(s.end)
	return s
}

func (s *Traffic) send(ctx context.Context, client *Client, request func() Request) {
	for ctx.Err() == nil {
		// Not ctx: a request that is under way when the stream is stopped is still waited for and counted.
		answer, err := client.Do(context.WithoutCancel(ctx), request())
		if s.count(answer, err) >= mostRequests {
			return
		}
	}
}

func (s *Traffic) count(answer *Answer, err error) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	switch {
	case err != nil:
		s.statuses[0]++
		s.note(err.Error())
	case answer.Status >= http.StatusInternalServerError:
		s.statuses[answer.Status]++
		s.note(fmt.Sprintf("%d %v %s", answer.Status, answer.Header, answer.Body))
	default:
		s.statuses[answer.Status]++
	}
	return s.total
}

// note keeps the first failures, to be shown.
func (s *Traffic) note(text string) {
	if len(s.failures) < 10 {
		s.failures = append(s.failures, time.Now().Format(time.RFC3339Nano)+" "+text)
	}
}

func (s *Traffic) end() {
	s.cancel()
	s.done.Wait()
}

// WaitTotal returns once that many requests were answered.
func (s *Traffic) WaitTotal(t testing.TB, total int) {
	t.Helper()
	WaitFor(t, fmt.Sprintf("%d requests", total), func() error {
		if n := s.Total(); n < total {
			return fmt.Errorf("%d so far", n)
		}
		return nil
	})
}

// Total is how many requests were answered, or failed.
func (s *Traffic) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Stop ends the stream and returns how many requests had each status; those
// without any answer are under 0. The first failures are shown in the test's log.
func (s *Traffic) Stop(t testing.TB) map[int]int {
	t.Helper()
	s.end()
	for _, text := range s.failures {
		t.Log(text)
	}
	return s.statuses
}
