package replica_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLedger is told by the test what it says. What a Replica does not ask for
// it does not have.
type fakeLedger struct {
	consumer.Ledger

	mu   sync.Mutex
	down error
	head consumer.Sequence
	// feed is what the follower is handed; it is made anew for each.
	feed    chan consumer.Changes
	follows []consumer.Sequence
	beats   []consumer.Instance
	left    []string
	used    []map[string]time.Time
}

func newLedger(head consumer.Sequence) *fakeLedger { return &fakeLedger{head: head} }

// set changes the ledger under its lock.
func (l *fakeLedger) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *fakeLedger) Head(context.Context) (consumer.Sequence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, l.down
}

func (l *fakeLedger) Follow(ctx context.Context, after consumer.Sequence, apply func(consumer.Changes)) error {
	feed := make(chan consumer.Changes)
	l.set(func() { l.feed, l.follows = feed, append(l.follows, after) })
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c, open := <-feed:
			if !open {
				return consumer.ErrUnavailable
			}
			apply(c)
		}
	}
}

// tell hands a change on, and returns when it is applied.
func (l *fakeLedger) tell(c consumer.Changes) {
	l.mu.Lock()
	feed := l.feed
	l.mu.Unlock()
	feed <- c
	synctest.Wait()
}

func (l *fakeLedger) Beat(_ context.Context, i consumer.Instance) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down == nil {
		l.beats = append(l.beats, i)
	}
	return l.down
}

func (l *fakeLedger) Leave(_ context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = append(l.left, id)
	return l.down
}

func (l *fakeLedger) Used(_ context.Context, at map[string]time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down == nil {
		l.used = append(l.used, at)
	}
	return l.down
}

// batches, followed and hasLeft are what it was told, as it stands.
func (l *fakeLedger) batches() []map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.used)
}

func (l *fakeLedger) followed() []consumer.Sequence {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.follows)
}

func (l *fakeLedger) hasLeft() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.left)
}

func (l *fakeLedger) told() []consumer.Instance {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.beats)
}

// lastBeat is what was told last, and how often something was.
func (l *fakeLedger) lastBeat() (consumer.Sequence, int) {
	beats := l.told()
	if len(beats) == 0 {
		return -1, 0
	}
	return beats[len(beats)-1].Applied, len(beats)
}

// memory is what a Replica makes forget, with how far it was at that time.
type memory struct {
	mu      sync.Mutex
	applied func() consumer.Sequence
	events  []string
}

func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := consumer.Sequence(-1)
	if m.applied != nil {
		at = m.applied()
	}
	m.events = append(m.events, fmt.Sprintf("%s@%d", name, at))
}

// take returns what was forgotten since it was last asked.
func (m *memory) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := m.events
	m.events = nil
	return events
}

// stage is a Replica with all that it stands on.
type stage struct {
	*replica.Replica
	ledger *fakeLedger
	memory *memory
	log    *bytes.Buffer
}

// on runs a test in a bubble with a clock of its own, and closes the Replica.
func on(t *testing.T, ledger *fakeLedger, test func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := start(t.Context(), ledger)
		defer s.Close()
		synctest.Wait()
		test(t, s)
	})
}

func start(ctx context.Context, ledger *fakeLedger) *stage {
	s := &stage{ledger: ledger, memory: &memory{}, log: &bytes.Buffer{}}
	s.Replica = replica.Start(ctx, ledger, replica.Options{
		ID: "i1", Name: "host", Version: "v1",
		Forget: s.memory.forget, ForgetAll: func() { s.memory.forget("*") },
		Now: time.Now, Random: middling{}, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	s.memory.mu.Lock()
	s.memory.applied = s.Sequence
	s.memory.mu.Unlock()
	return s
}

// middling is randomness that spreads nothing far.
type middling struct{}

func (middling) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 128
	}
	return len(b), nil
}

var _ io.Reader = middling{}

func forgot(t *testing.T, s *stage, want ...string) {
	t.Helper()
	if got := s.memory.take(); !slices.Equal(got, want) {
		t.Errorf("forgot %v, want %v", got, want)
	}
}

func logged(t *testing.T, s *stage, text string, times int) {
	t.Helper()
	synctest.Wait() // nobody writes now
	if n := strings.Count(s.log.String(), text); n != times {
		t.Errorf("%q stands %d times in the log, want %d:\n%s", text, n, times, s.log)
	}
}
