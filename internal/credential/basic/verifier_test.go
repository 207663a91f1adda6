package basic_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/basic"
)

// slow is a hash that takes until it is let go, and knows how many run.
type slow struct {
	running, most, total atomic.Int64
	letGo                chan struct{}
}

func newSlow() *slow { return &slow{letGo: make(chan struct{})} }

func (s *slow) verify(_ access.Secret, p []byte) (bool, error) {
	s.total.Add(1)
	running := s.running.Add(1)
	defer s.running.Add(-1)
	for {
		most := s.most.Load()
		if running <= most || s.most.CompareAndSwap(most, running) {
			break
		}
	}
	<-s.letGo
	return string(p) == secret, nil
}

// until polls a condition that has to come.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A flood of bad passwords: so many are verified and so many wait, and all
// others are told to come back, at once.
func TestFloodIsBounded(t *testing.T) {
	for name, memory := range map[string]int64{"with cache": 1 << 20, "without": 0} {
		t.Run(name, func(t *testing.T) {
			const workers, queue, flood = 3, 5, 500
			hash := newSlow()
			b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: workers, Queue: queue, Wait: 10 * time.Second}, memory, hash.verify)
			var busy, invalid atomic.Int64
			var wg sync.WaitGroup
			for i := range flood {
				wg.Go(func() {
					switch got := b.ask(login([]string{"good", "nobody"}[i%2], fmt.Sprint("wrong-", i))); got {
					case "busy":
						busy.Add(1)
					case "invalid":
						invalid.Add(1)
					default:
						t.Errorf("got %s", got)
					}
				})
			}
			until(t, "all but those with a turn or place are refused", func() bool { return busy.Load() == flood-workers-queue })
			if got, want := b.verifier.State(), (basic.VerifierState{Running: workers, Waiting: queue, Refused: flood - workers - queue}); got != want {
				t.Errorf("state %+v, want %+v", got, want)
			}
			close(hash.letGo)
			wg.Wait()
			if invalid.Load() != workers+queue || hash.most.Load() != workers || hash.total.Load() != workers+queue {
				t.Errorf("%d invalid, at most %d at once, %d in all", invalid.Load(), hash.most.Load(), hash.total.Load())
			}
			if got := b.verifier.State(); got.Running != 0 || got.Waiting != 0 {
				t.Errorf("state %+v", got)
			}
		})
	}
}

func TestFullVerifierHarmsNothingThatIsRemembered(t *testing.T) {
	hash := newSlow()
	b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: 1, Queue: 1, Wait: 10 * time.Second}, 1<<20, hash.verify)
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := b.ask(login("good", secret)); got != "good" {
			t.Errorf("got %s", got)
		}
	})
	hash.letGo <- struct{}{}
	wg.Wait()
	for i := range 2 {
		wg.Go(func() { b.ask(login("nobody", fmt.Sprint(i))) })
	}
	until(t, "the verifier is full", func() bool { s := b.verifier.State(); return s.Running == 1 && s.Waiting == 1 })
	if got := b.ask(login("good", secret)); got != "good" {
		t.Errorf("a remembered pair: got %s", got)
	}
	if got := b.ask(request("Basic x")); got != "invalid" {
		t.Errorf("a malformed one: got %s", got)
	}
	late := login("app@example.com", secret)
	if got := b.ask(late); got != "busy" {
		t.Errorf("a new pair: got %s", got)
	}
	close(hash.letGo)
	wg.Wait()
	if got := b.ask(late); got != "mail" {
		t.Errorf("got %s: that it was full is remembered", got)
	}
}

// TestRefusedPasswordsKeepAPace: by a clock that passes a tenth of a second a
// verification, refused passwords get their share of a core and half a second at
// once; passwords that are right are not counted, and are refused in a flood like
// all others.
func TestRefusedPasswordsKeepAPace(t *testing.T) {
	const share = 0.25
	clock := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	verify := func(_ access.Secret, p []byte) (bool, error) {
		clock = clock.Add(100 * time.Millisecond)
		return string(p) == secret, nil
	}
	b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: 1, Share: share, Burst: 500 * time.Millisecond, Now: func() time.Time { return clock }}, 0, verify)
	for i := range 20 {
		if got := b.ask(login("good", secret)); got != "good" {
			t.Fatalf("a right password, %d: %s", i, got)
		}
	}
	looked := 0
	for start := clock; clock.Sub(start) < time.Minute; {
		switch got := b.ask(login("nobody", fmt.Sprint(clock))); got {
		case "invalid":
			looked++
		case "busy":
			clock = clock.Add(10 * time.Millisecond)
		default:
			t.Fatal(got)
		}
	}
	if most := 10*60*share + 5; float64(looked) > most+1 || float64(looked) < most-20 {
		t.Errorf("%d passwords in a minute, want about %.0f", looked, most)
	}
	for b.ask(login("nobody", fmt.Sprint(clock))) != "busy" {
		if looked++; looked > 10_000 {
			t.Fatal("never full")
		}
	}
	before := b.store.finds.Load()
	if got := b.ask(login("good", secret)); got != "busy" {
		t.Errorf("a right password in a flood: %s", got)
	}
	if b.store.finds.Load() != before {
		t.Error("the store is asked about a password that will not be looked at")
	}
	clock = clock.Add(10 * time.Second)
	if got := b.ask(login("good", secret)); got != "good" {
		t.Errorf("a right password after the flood: %s", got)
	}
}

func TestWaitingEnds(t *testing.T) {
	hash := newSlow()
	b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: 1, Queue: 2, Wait: 20 * time.Millisecond}, 0, hash.verify)
	var wg sync.WaitGroup
	wg.Go(func() { b.ask(login("nobody", "first")) })
	until(t, "the verifier is full", func() bool { return b.verifier.State().Running == 1 })
	if got := b.ask(login("nobody", "second")); got != "busy" {
		t.Errorf("after the wait: got %s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := answer(b.Authenticate(ctx, login("nobody", "third"))); got != "fault" && got != "busy" {
		t.Errorf("after the request ended: got %s", got)
	}
	if s := b.verifier.State(); s.Waiting != 0 || s.Running != 1 {
		t.Errorf("state %+v", s)
	}
	close(hash.letGo)
	wg.Wait()
}

func TestOnePairAtOnceIsVerifiedOnce(t *testing.T) {
	hash := newSlow()
	b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: 2, Queue: 1, Wait: 10 * time.Second}, 1<<20, hash.verify)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := b.ask(login("good", secret)); got != "good" {
				t.Errorf("got %s", got)
			}
		})
	}
	until(t, "it is being verified", func() bool { return hash.running.Load() == 1 })
	close(hash.letGo)
	wg.Wait()
	if hash.total.Load() != 1 {
		t.Errorf("%d verifications", hash.total.Load())
	}
}

func TestAPanicGivesItsTurnBack(t *testing.T) {
	b := setUp(t, basic.Config{}, basic.VerifierConfig{Workers: 1}, 0, func(access.Secret, []byte) (bool, error) { panic("at once") })
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			b.ask(login("good", secret))
		}()
	}
	if s := b.verifier.State(); s.Running != 0 {
		t.Errorf("state %+v", s)
	}
}

// The digest is HMAC-SHA-256 of the delimited parts, under a key from the
// randomness that was passed in.
func TestPairsAreNamedByAKeyedDigest(t *testing.T) {
	key := strings.Repeat("k", 32)
	v, err := basic.NewVerifier(basic.VerifierConfig{}, strings.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	want := func(parts ...string) (sum [32]byte) {
		mac := hmac.New(sha256.New, []byte(key))
		for _, part := range parts {
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			mac.Write([]byte(part))
		}
		copy(sum[:], mac.Sum(nil))
		return sum
	}
	seen := map[[32]byte]bool{}
	for _, pair := range [][3]string{{"s", "ab", "c"}, {"s", "a", "bc"}, {"sa", "b", "c"}, {"s", "", "abc"}, {"s", strings.Repeat("u", 256), strings.Repeat("p", 512)}, {"s", "ab", "c"}} {
		got := v.Name(pair[0], pair[1], pair[2])
		if got != want("basic", pair[0], pair[1], pair[2]) {
			t.Errorf("%q is named otherwise", pair)
		}
		seen[got] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d names of 5 pairs", len(seen))
	}
}

func TestVerifierRefuses(t *testing.T) {
	for name, config := range map[string]basic.VerifierConfig{
		"workers":      {Workers: -1},
		"many workers": {Workers: 1025},
		"queue":        {Queue: -1},
		"long queue":   {Queue: 1<<16 + 1},
		"share":        {Share: -1},
		"no share":     {Share: math.NaN()},
		"tiny share":   {Share: 1e-9},
		"burst":        {Burst: -1},
		"long burst":   {Burst: 2 * time.Hour},
		"wait":         {Wait: -1},
		"long wait":    {Wait: 11 * time.Second},
	} {
		if _, err := basic.NewVerifier(config, strings.NewReader(strings.Repeat("k", 32))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := basic.NewVerifier(basic.VerifierConfig{}, bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("no error without randomness")
	}
}
