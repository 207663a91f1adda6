package signature_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/credential/signature/noncetest"
)

func TestMemoryConforms(t *testing.T) {
	noncetest.Run(t, func(*testing.T) noncetest.Place {
		c := &clock{from: start}
		return noncetest.Place{Nonces: signature.NewMemory(2_000, c.Now), Now: c.Now, Pass: c.pass}
	})
}

// A full memory forgets nothing that lives, whatever is asked of it, and has
// room again when something has ended.
func TestFullMemory(t *testing.T) {
	c := &clock{from: start}
	m := signature.NewMemory(6_400, c.Now)
	until := start.Add(10 * time.Minute)
	var held [][32]byte
	var refused int
	for i := range 20_000 {
		key := sha256.Sum256([]byte(strconv.Itoa(i)))
		switch first, err := m.Once(context.Background(), strconv.Itoa(i), key, until); {
		case err == nil && first:
			held = append(held, key)
		case errors.Is(err, signature.ErrFull) && !first:
			refused++
		default:
			t.Fatalf("%d: %v, %v", i, first, err)
		}
	}
	if m.Len() != 6_400 || len(held) != 6_400 || refused != 20_000-6_400 {
		t.Fatalf("%d held, %d told first, %d refused", m.Len(), len(held), refused)
	}
	c.pass(10 * time.Minute)
	for _, key := range held {
		if first, err := m.Once(context.Background(), "late", key, until.Add(time.Hour)); err != nil || first {
			t.Fatalf("forgotten while it lives: %v, %v", first, err)
		}
	}
	c.pass(time.Minute)
	if first, err := m.Once(context.Background(), "late", held[0], until.Add(time.Hour)); err != nil || !first {
		t.Errorf("no room after all have ended: %v, %v", first, err)
	}
}

func TestMemoryWithoutRoom(t *testing.T) {
	for _, limit := range []int{0, -1} {
		if first, err := signature.NewMemory(limit, time.Now).Once(context.Background(), "alice", [32]byte{}, time.Now().Add(time.Hour)); first || !errors.Is(err, signature.ErrFull) {
			t.Errorf("limit %d: %v, %v", limit, first, err)
		}
	}
}

// Of several that take all they can get each has as much as the others, and what
// one signs is refused for its own sake alone.
func TestGreedySignersShare(t *testing.T) {
	c := &clock{from: start}
	m := signature.NewMemory(64_000, c.Now)
	held := map[string]int{}
	for i := range 200_000 {
		by := []string{"a", "b", "c"}[i%3]
		key := sha256.Sum256([]byte(strconv.Itoa(i)))
		if first, err := m.Once(context.Background(), by, key, start.Add(time.Minute)); err == nil && first {
			held[by]++
		}
	}
	// Four thirteenths each: 19,692, and what the shards differ in.
	for by, n := range held {
		if n < 19_000 || n > 20_400 {
			t.Errorf("%s has %d of 64,000", by, n)
		}
	}
}

// A flood of one key's good signatures leaves other keys as they were.
func TestFloodOfOneKey(t *testing.T) {
	b := setUp(t, signature.Config{})
	small := signature.NewMemory(640, b.clock.Now)
	a := signature.New(signature.Config{}, b.store, small, b.clock.Now)
	counts := map[string]int{}
	for i := range 2_000 {
		_, err := a.Authenticate(context.Background(), plain(request(), "good", startMs, strconv.Itoa(i)))
		var rejected *access.Rejection
		switch {
		case err == nil:
			counts["good"]++
		case errors.As(err, &rejected):
			counts[string(rejected.Code)]++
		}
	}
	if counts["good"] == 0 || counts[string(access.CodeTooManyFailures)] == 0 {
		t.Fatalf("the flood: %v", counts)
	}
	if got := answer(a.Authenticate(context.Background(), plain(request(), "other", startMs, "n"))); got != "other" {
		t.Errorf("another key's: %s", got)
	}
}

// A full memory refuses, in words that a gateway never turns into an open door.
func TestFullIsADenial(t *testing.T) {
	b := setUp(t, signature.Config{})
	full := signature.New(signature.Config{}, b.store, signature.NewMemory(0, b.clock.Now), b.clock.Now)
	_, err := full.Authenticate(context.Background(), apisix("good"))
	var rejected *access.Rejection
	if !errors.As(err, &rejected) || rejected.Code != access.CodeTooManyFailures || rejected.RetryAfter <= 0 {
		t.Errorf("got %v", err)
	}
	if got := answer(full.Authenticate(context.Background(), changed(apisix("good"), "date", dateAt(time.Second)))); got != "invalid" {
		t.Errorf("a bad signature meets the full memory: %s", got)
	}
}

type failing struct{}

func (failing) Once(context.Context, string, [32]byte, time.Time) (bool, error) {
	return true, errors.New("nonces are down")
}

func TestFailingNoncesAreAFault(t *testing.T) {
	b := setUp(t, signature.Config{})
	a := signature.New(signature.Config{}, b.store, failing{}, b.clock.Now)
	if got := answer(a.Authenticate(context.Background(), apisix("good"))); got != "fault" {
		t.Errorf("got %s", got)
	}
}

// replays are one request of each dialect.
func replays() map[string]func() *access.Request {
	return map[string]func() *access.Request{
		"plain":  func() *access.Request { return plain(post(`{"a":1}`), "good", startMs, "n") },
		"apisix": func() *access.Request { return apisix("good") },
		"kong":   func() *access.Request { return kong("good") },
	}
}

func TestReplay(t *testing.T) {
	for name, req := range replays() {
		b := setUp(t, signature.Config{})
		if got := b.ask(req()); got != "good" {
			t.Fatalf("%s: got %s", name, got)
		}
		for range 10 {
			if got := b.ask(req()); got != "invalid" {
				t.Fatalf("%s again: got %s", name, got)
			}
			b.clock.pass(30 * time.Second)
		}
		// It is now at the end of its clock skew, then past it.
		if got := b.ask(req()); got != "invalid" {
			t.Fatalf("%s at its end: got %s", name, got)
		}
		b.clock.pass(time.Second)
		if got := b.ask(req()); got != "invalid" {
			t.Fatalf("%s past its end: got %s", name, got)
		}
	}
}

// One that is dated ahead lives twice the skew.
func TestReplayOfARequestFromTheFuture(t *testing.T) {
	b := setUp(t, signature.Config{})
	req := func() *access.Request { return datedAt(5*time.Minute, dateAt) }
	if got := b.ask(req()); got != "good" {
		t.Fatalf("got %s", got)
	}
	for passed := time.Duration(0); passed <= 11*time.Minute; passed += 20 * time.Second {
		if got := b.ask(req()); got != "invalid" {
			t.Fatalf("after %s: got %s", passed, got)
		}
		b.clock.pass(20 * time.Second)
	}
}

// A reload makes nothing hold again.
func TestReplayUnderNewerRules(t *testing.T) {
	b := setUp(t, signature.Config{})
	if got := b.ask(apisix("good")); got != "good" {
		t.Fatalf("got %s", got)
	}
	next := signature.New(signature.Config{Environments: []string{"prod"}}, newStore(), b.nonces, b.clock.Now)
	if got := answer(next.Authenticate(context.Background(), apisix("good"))); got != "invalid" {
		t.Errorf("got %s", got)
	}
}

// A clock skew that is lowered and raised again makes nothing hold again either.
func TestReplayUnderARaisedSkew(t *testing.T) {
	for name, req := range replays() {
		b := setUp(t, signature.Config{ClockSkew: time.Minute, RaisableTo: 5 * time.Minute})
		if got := b.ask(req()); got != "good" {
			t.Fatalf("%s: got %s", name, got)
		}
		for range 10 {
			b.clock.pass(30 * time.Second)
			raised := signature.New(signature.Config{ClockSkew: 5 * time.Minute, RaisableTo: 5 * time.Minute}, b.store, b.nonces, b.clock.Now)
			if got := answer(raised.Authenticate(context.Background(), req())); got != "invalid" {
				t.Fatalf("%s %s later: got %s", name, b.clock.Now().Sub(start), got)
			}
		}
	}
}

// A nonce is one of its key: it holds once, whatever time it is sent with; at
// another key, and in another dialect, it is another's.
func TestNoncesByKey(t *testing.T) {
	b := setUp(t, signature.Config{})
	for i, tt := range []struct {
		req  *access.Request
		want string
	}{
		{plain(request(), "good", startMs, "n"), "good"},
		{plain(request(), "good", at(time.Second), "n"), "invalid"},
		{plain(request(), "good", startMs, "m"), "good"},
		{plain(request(), "other", startMs, "n"), "other"},
	} {
		if got := b.ask(tt.req); got != tt.want {
			t.Errorf("%d: got %s, want %s", i, got, tt.want)
		}
	}
}

// What was refused was not remembered: nobody can use up another's nonce.
func TestOnlyWhatHeldIsRemembered(t *testing.T) {
	b := setUp(t, signature.Config{})
	for _, bad := range []*access.Request{
		changed(plain(request(), "good", startMs, "n"), "x-signature", "00"),
		edited(plain(post("a"), "good", startMs, "n"), func(r *access.Request) { r.Body = []byte("b") }),
		plain(request(), "disabled", startMs, "n"), plain(request(), "retired", startMs, "n"),
	} {
		if got := b.ask(bad); got != "invalid" {
			t.Fatalf("got %s", got)
		}
	}
	if b.nonces.Len() != 0 {
		t.Error("something is remembered")
	}
	if got := b.ask(plain(request(), "good", startMs, "n")); got != "good" {
		t.Errorf("got %s", got)
	}
}

func TestRepeatable(t *testing.T) {
	b := setUp(t, signature.Config{DangerouslyRepeatable: []signature.Dialect{signature.Kong}})
	for name, want := range map[string]string{"kong": "good", "apisix": "invalid", "plain": "invalid"} {
		b.ask(replays()[name]())
		if got := b.ask(replays()[name]()); got != want {
			t.Errorf("%s again: got %s, want %s", name, got, want)
		}
	}
	unchecked := signature.New(signature.Config{DangerouslyRepeatable: []signature.Dialect{signature.Plain}}, b.store, b.nonces, b.clock.Now)
	if got := answer(unchecked.Authenticate(context.Background(), replays()["plain"]())); got != "invalid" {
		t.Errorf("plain is repeatable: %s", got)
	}
}

// Of any number of repeats at once exactly one is allowed.
func TestReplayAtOnce(t *testing.T) {
	repeats := 100_000
	if raceEnabled {
		repeats = 5_000
	}
	for name, req := range replays() {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, signature.Config{})
			got := repeat(b, req(), repeats, 50)
			if fmt.Sprint(got) != fmt.Sprintf("map[good:1 invalid:%d]", repeats-1) {
				t.Errorf("%d repeats: %v", repeats, got)
			}
		})
	}
}

// repeat asks the same from many goroutines that start together, and counts the
// answers.
func repeat(b *bench, req *access.Request, repeats, goroutines int) map[string]int {
	var left atomic.Int64
	left.Store(int64(repeats))
	begin := make(chan struct{})
	counts := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			own := map[string]int{}
			<-begin
			for left.Add(-1) >= 0 {
				own[b.ask(req)]++
			}
			mu.Lock()
			defer mu.Unlock()
			for answer, n := range own {
				counts[answer] += n
			}
		})
	}
	close(begin)
	wg.Wait()
	return counts
}
