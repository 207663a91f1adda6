package bearer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// How fast a failed fetch is tried again: twice as late each time, up to the
// refresh time.
const (
	firstRetry = time.Second
	maxDoubles = 10
)

// issuer keeps one issuer's keys fresh. Requests only ever read what is there.
type issuer struct {
	config  IssuerConfig
	source  source
	deps    Deps
	changed func()

	// current is what is believed now; nil before the first set came and once
	// the last good one grew too old.
	current atomic.Pointer[believed]
	asks    asks

	// judged belongs to whoever refreshes; one at a time does.
	judged judgement

	mu          sync.Mutex
	lastErr     error
	lastSuccess time.Time
}

// judgement is what became of the last document, good or bad.
type judgement struct {
	done bool
	sum  [sha256.Size]byte
	set  *keySet
	err  error
}

// believed is a set and the time until which it counts without a new fetch.
type believed struct {
	*keySet
	until time.Time
}

// keys returns the set that counts at now. Having none is our fault, not the
// token's; so the reason is told in words and never as an error about a token.
func (i *issuer) keys(now time.Time) (*keySet, error) {
	b := i.current.Load()
	if b == nil || !now.Before(b.until) {
		return nil, fmt.Errorf("issuer %q: no keys: %s", i.config.Name, i.why())
	}
	return b.keySet, nil
}

// why says why there are no keys.
func (i *issuer) why() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lastErr != nil {
		return i.lastErr.Error()
	}
	return "the first fetch has not ended yet"
}

// keepFresh is the issuer's own loop; it ends with ctx.
func (i *issuer) keepFresh(ctx context.Context) {
	for failures := 0; ; {
		if i.refresh(ctx) == nil {
			failures = 0
		} else {
			failures++
		}
		timer := time.NewTimer(i.pause(failures))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-i.asks.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// pause is the time to the next fetch after so many failures in a row, but no
// later than the end of what is believed.
func (i *issuer) pause(failures int) time.Duration {
	wait, jitter := i.config.Refresh, i.deps.Jitter()
	if i.config.JWKSFile != "" {
		return filePoll
	}
	if failures == 0 {
		return wait - time.Duration(jitter*float64(wait)/10)
	}
	wait = min(wait, firstRetry<<min(failures-1, maxDoubles))
	wait -= time.Duration(jitter * float64(wait) / 2)
	if b := i.current.Load(); b != nil {
		wait = min(wait, max(b.until.Sub(i.deps.Now()), time.Millisecond))
	}
	return wait
}

// refresh fetches once, and wakes those who wait for it.
func (i *issuer) refresh(ctx context.Context) error {
	i.asks.begin()
	defer i.asks.end()
	ctx, cancel := context.WithTimeout(ctx, i.config.Timeout)
	defer cancel()
	return i.learn(i.source.read(ctx))
}

// learn takes what a fetch brought. Only a good set replaces a set.
func (i *issuer) learn(data []byte, err error) error {
	var set *keySet
	if err == nil {
		set, err = i.judge(data)
	}
	now := i.deps.Now()
	if err == nil {
		i.accept(set, now)
	} else {
		i.dropStale(now)
	}
	i.note(err, now)
	return err
}

// judge parses a document, unless it is the one of last time.
func (i *issuer) judge(data []byte) (*keySet, error) {
	if sum := sha256.Sum256(data); !i.judged.done || i.judged.sum != sum {
		set, err := parseKeySet(data)
		i.judged = judgement{true, sum, set, err}
		for _, line := range i.leftOut() {
			i.deps.Logger.Warn("a key of an issuer's set is left out", "issuer", i.config.Name, "key", line)
		}
	}
	return i.judged.set, i.judged.err
}

func (i *issuer) leftOut() []string {
	if i.judged.set == nil {
		return nil
	}
	return i.judged.set.leftOut
}

// accept believes a set from now on.
func (i *issuer) accept(set *keySet, now time.Time) {
	old := i.current.Swap(&believed{set, now.Add(i.config.MaxStale)})
	if old == nil || old.print != set.print {
		i.deps.Logger.Info("an issuer's keys are new", "issuer", i.config.Name, "source", i.source.String(), "keys", len(set.keys))
		i.changed()
	}
}

// dropStale ends what was believed too long without news.
func (i *issuer) dropStale(now time.Time) {
	if b := i.current.Load(); b != nil && !now.Before(b.until) {
		i.current.Store(nil)
		i.deps.Logger.Error("an issuer's last good keys are too old and are no longer believed", "issuer", i.config.Name)
		i.changed()
	}
}

// note keeps how a fetch ended, and logs where that is news.
func (i *issuer) note(err error, now time.Time) {
	i.mu.Lock()
	before := i.lastErr
	i.lastErr = err
	if err == nil {
		i.lastSuccess = now
	}
	i.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		i.deps.Logger.Error("an issuer's keys can't be brought; the last good ones stay",
			"issuer", i.config.Name, "source", i.source.String(), "error", err.Error())
	case err == nil && before != nil:
		i.deps.Logger.Info("an issuer's keys come again", "issuer", i.config.Name)
	}
}

// state describes the issuer's keys for people.
func (i *issuer) state(now time.Time) IssuerState {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := IssuerState{
		Name: i.config.Name, LastSuccess: i.lastSuccess, Stale: i.lastErr != nil,
	}
	if i.lastErr != nil {
		s.LastError = i.lastErr.Error()
	}
	if b := i.current.Load(); b != nil && now.Before(b.until) {
		s.Keys = len(b.keys)
	}
	return s
}
