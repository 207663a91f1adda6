// Package noncetest is the conformance suite of signature.Nonces: what a place
// that remembers nonces must do, whatever it is made of.
package noncetest

import (
	"context"
	"crypto/sha256"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Nonces is the contract, as in package signature.
type Nonces interface {
	Once(ctx context.Context, signer string, nonce [32]byte, until time.Time) (first bool, err error)
}

// Place is a place under test, empty and with room for 1,000 nonces of one
// signer.
type Place struct {
	Nonces
	// Now is its clock, and Pass lets time pass on it.
	Now  func() time.Time
	Pass func(time.Duration)
}

// Run checks the places that open makes.
func Run(t *testing.T, open func(*testing.T) Place) {
	for name, check := range map[string]func(*testing.T, Place){
		"is the first once":               firstOnce,
		"parts keys":                      partsKeys,
		"holds to the end and not beyond": holdsToTheEnd,
		"never shortens a life":           neverShortens,
		"is no first when it is over":     over,
		"tells one of many":               oneOfMany,
		"keeps room from the greedy":      keepsRoom,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func key(name string) [32]byte { return sha256.Sum256([]byte(name)) }

func (p Place) expect(t *testing.T, name string, until time.Time, want bool) {
	t.Helper()
	first, err := p.Once(context.Background(), "alice", key(name), until)
	if err != nil || first != want {
		t.Fatalf("%s: first %v, error %v, want %v", name, first, err, want)
	}
}

func firstOnce(t *testing.T, p Place) {
	until := p.Now().Add(10 * time.Minute)
	p.expect(t, "a", until, true)
	for range 3 {
		p.expect(t, "a", until, false)
	}
	p.expect(t, "a", until.Add(time.Hour), false)
}

func partsKeys(t *testing.T, p Place) {
	until := p.Now().Add(10 * time.Minute)
	for i := range 500 {
		p.expect(t, strconv.Itoa(i), until, true)
	}
	for i := range 500 {
		p.expect(t, strconv.Itoa(i), until, false)
	}
}

func holdsToTheEnd(t *testing.T, p Place) {
	until := p.Now().Add(time.Minute)
	p.expect(t, "a", until, true)
	for range 4 {
		p.Pass(15 * time.Second)
		p.expect(t, "a", until, false) // the last time at until itself
	}
	p.Pass(5 * time.Minute)
	p.expect(t, "a", p.Now().Add(time.Minute), true)
}

func neverShortens(t *testing.T, p Place) {
	p.expect(t, "a", p.Now().Add(10*time.Minute), true)
	p.expect(t, "a", p.Now().Add(time.Minute), false)
	p.Pass(9 * time.Minute)
	p.expect(t, "a", p.Now().Add(time.Minute), false)
}

func over(t *testing.T, p Place) {
	p.expect(t, "a", p.Now().Add(-time.Second), false)
	p.expect(t, "b", p.Now().Add(-time.Hour), false)
}

// oneOfMany has goroutines walk through the same keys at once, so that for every
// key several meet.
func oneOfMany(t *testing.T, p Place) {
	until := p.Now().Add(10 * time.Minute)
	var firsts [500]atomic.Int64
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			<-begin
			for i := range firsts {
				first, err := p.Once(context.Background(), "alice", key(strconv.Itoa(i)), until)
				if err != nil {
					t.Error(err)
				}
				if first {
					firsts[i].Add(1)
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	for i := range firsts {
		if n := firsts[i].Load(); n != 1 {
			t.Fatalf("key %d: %d firsts", i, n)
		}
	}
}

// keepsRoom has one signer take all that it gets. It meets a bound of its own,
// others still find room, and its nonces end like anybody's.
func keepsRoom(t *testing.T, p Place) {
	until := p.Now().Add(10 * time.Minute)
	take := func(i int) error {
		first, err := p.Once(context.Background(), "greedy", key("greedy "+strconv.Itoa(i)), until)
		if err == nil && !first {
			t.Fatalf("nonce %d held before", i)
		}
		return err
	}
	refused := 0
	for i := range 100_000 {
		if take(i) != nil {
			refused++
		}
	}
	if refused < 90_000 {
		t.Fatalf("%d of 100,000 nonces of one signer are refused, so that nothing bounds it", refused)
	}
	for i := range 50 {
		name := "modest " + strconv.Itoa(i)
		if first, err := p.Once(context.Background(), name, key(name), until); err != nil || !first {
			t.Fatalf("signer %d finds no room: first %v, error %v", i, first, err)
		}
	}
	p.Pass(15 * time.Minute)
	until = p.Now().Add(10 * time.Minute)
	for i := range 500 {
		if err := take(100_000 + i); err != nil {
			t.Fatalf("no room after its nonces have ended: %v", err)
		}
	}
}
