package basic

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// errBusy is that as many passwords are being verified as may be.
var errBusy = errors.New("as many passwords are being verified as may be")

// defaultWait is how long a password waits for its turn: with its own
// verification it is within the 200 ms that gateways wait.
const defaultWait = 100 * time.Millisecond

// VerifierConfig bounds the verification of passwords. The zero value takes
// every default.
type VerifierConfig struct {
	// Workers is how many are verified at once; each takes one core, and about
	// 20 MiB with a new hash, at most 64 MiB. 0: half of GOMAXPROCS, at least
	// one.
	Workers int
	// Queue is how many wait for their turn. 0: four times the workers.
	Queue int
	// Wait is how long each of them waits. 0: 100 ms.
	Wait time.Duration
	// Share is how many cores refused passwords may take in the long run. 0: a
	// sixteenth of GOMAXPROCS.
	Share float64
	// Burst is how much work refused passwords may take at once. 0: 2 seconds of
	// one core.
	Burst time.Duration
	// Verify replaces password.Verify.
	Verify func(hash access.Secret, password []byte) (bool, error)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Check says what is wrong with the configuration.
func (c VerifierConfig) Check() error {
	switch {
	case c.Workers < 0 || c.Workers > 1024:
		return fmt.Errorf("workers: %d, expected 0 (half of the cores) to 1024", c.Workers)
	case c.Queue < 0 || c.Queue > 1<<16:
		return fmt.Errorf("queue: %d, expected 0 (four times the workers) to 65536", c.Queue)
	case c.Share != 0 && !(c.Share >= 0.001 && c.Share <= 1024):
		return fmt.Errorf("share: %v, expected 0 (a sixteenth of the cores), or 0.001 to 1024", c.Share)
	case c.Burst < 0 || c.Burst > time.Hour:
		return fmt.Errorf("burst: %v, expected 0 (2s) to 1h", c.Burst)
	case c.Wait < 0 || c.Wait > 10*time.Second:
		return fmt.Errorf("wait: %v, expected 0 (100ms) to 10s", c.Wait)
	}
	return nil
}

func (c VerifierConfig) withDefaults() VerifierConfig {
	if c.Workers == 0 {
		c.Workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if c.Queue == 0 {
		c.Queue = 4 * c.Workers
	}
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	if c.Share == 0 {
		c.Share = float64(runtime.GOMAXPROCS(0)) / 16
	}
	if c.Burst == 0 {
		c.Burst = 2 * time.Second
	}
	if c.Verify == nil {
		c.Verify = password.Verify
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Verifier verifies passwords, so many at once and no more, and names pairs of
// username and password by digests under a key that ends with the process. It
// has no goroutines of its own: who asks does the work. There is one in a
// program, which outlives every reload, since what it bounds and has learnt is
// the program's.
type Verifier struct {
	config  VerifierConfig
	turns   chan struct{} // one for each that is being verified
	places  chan struct{} // one for each that waits
	pace    *pace
	learnt  learnt
	refused atomic.Uint64
	macs    sync.Pool
}

// NewVerifier makes a verifier that takes its key, of 32 bytes, from random.
func NewVerifier(config VerifierConfig, random io.Reader) (*Verifier, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	key := make([]byte, sha256.Size)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	v := &Verifier{config: config, turns: make(chan struct{}, config.Workers), places: make(chan struct{}, config.Queue), pace: &pace{share: config.Share, burst: config.Burst}}
	v.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return v, nil
}

// VerifierState is what a verifier does at the moment, and how many passwords
// it has refused to look at since it was made.
type VerifierState struct {
	Running, Waiting int
	Refused          uint64
}

// State is for metrics.
func (v *Verifier) State() VerifierState {
	return VerifierState{Running: len(v.turns), Waiting: len(v.places), Refused: v.refused.Load()}
}

// room fails with errBusy when no password would be verified now, so that a
// flood of them does not go on to a store for nothing.
func (v *Verifier) room() error {
	if !v.pace.full(v.config.Now()) {
		return nil
	}
	v.refused.Add(1)
	return errBusy
}

// verify verifies one password in its turn, or fails with errBusy.
func (v *Verifier) verify(ctx context.Context, hash access.Secret, password []byte) (bool, error) {
	if err := v.room(); err != nil {
		return false, err
	}
	if err := v.enter(ctx); err != nil {
		if errors.Is(err, errBusy) {
			v.refused.Add(1)
		}
		return false, err
	}
	defer func() { <-v.turns }()
	start := v.config.Now()
	same, err := v.config.Verify(hash, password)
	if !same {
		now := v.config.Now()
		v.pace.refused(now, now.Sub(start))
	}
	return same, err
}

// enter waits for a turn, if there is a place to wait in.
func (v *Verifier) enter(ctx context.Context) error {
	select {
	case v.turns <- struct{}{}:
		return nil
	default:
	}
	select {
	case v.places <- struct{}{}:
		defer func() { <-v.places }()
	default:
		return errBusy
	}
	timer := time.NewTimer(v.config.Wait)
	defer timer.Stop()
	select {
	case v.turns <- struct{}{}:
		return nil
	case <-timer.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mac is an HMAC with a buffer for what it digests.
type mac struct {
	hash.Hash
	buffer [1024]byte
	sum    cache.Key
}

// name digests a pair with all that the answer depends on: a keyed digest of
// parts that are delimited by their lengths. Without the key, which is in no
// file and no log, a digest in a copy of the memory says nothing about the
// password, however few there are to guess.
func (v *Verifier) name(scope string, username, password []byte) cache.Key {
	m, _ := v.macs.Get().(*mac) // the pool makes nothing else
	defer v.macs.Put(m)
	text := m.buffer[:0]
	text = append(binary.BigEndian.AppendUint64(text, uint64(len(access.KindBasic))), access.KindBasic...)
	text = append(binary.BigEndian.AppendUint64(text, uint64(len(scope))), scope...)
	text = append(binary.BigEndian.AppendUint64(text, uint64(len(username))), username...)
	text = append(binary.BigEndian.AppendUint64(text, uint64(len(password))), password...)
	m.Reset()
	m.Write(text) // a hash never fails to write
	m.Sum(m.sum[:0])
	clear(text)
	return m.sum
}
