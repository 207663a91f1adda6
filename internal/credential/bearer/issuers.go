package bearer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Issuers keeps the keys of all configured issuers. It outlives reloads that
// leave its configuration as it is, and is used by many goroutines at once. A
// nil *Issuers has no issuer.
type Issuers struct {
	list  []*issuer
	byIss map[string]*issuer
	now   func() time.Time

	mu     sync.Mutex
	prints atomic.Pointer[string]

	client *http.Client
	ours   bool // the client's transport was made here
	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// IssuerState is how an issuer's keys are doing, for people and metrics.
type IssuerState struct {
	Name string
	// Keys is how many are believed now; 0 means that the issuer's tokens can't
	// be judged.
	Keys        int
	LastSuccess time.Time
	// LastError is of the last fetch; empty when it succeeded.
	LastError string
	// Stale says that the last fetch failed: the keys are the last good ones.
	Stale bool
}

// OpenIssuers reads the sets that are files, which must be good, and begins to
// fetch the others. It does not wait for those: Ready says when they are there.
// The loops end with ctx or at Close, whichever comes first. The error names
// everything that is wrong with the configuration.
func OpenIssuers(ctx context.Context, configs []IssuerConfig, deps Deps) (*Issuers, error) {
	deps = deps.withDefaults()
	s := &Issuers{byIss: map[string]*issuer{}, now: deps.Now}
	s.client = fetchingClient(deps.Client)
	s.ours = deps.Client == nil || deps.Client.Transport == nil
	s.prints.Store(new(string))
	if err := s.addAll(configs, deps); err != nil {
		return nil, err
	}
	if err := s.readFiles(ctx); err != nil {
		return nil, err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	for _, i := range s.list {
		s.loops.Go(func() { i.keepFresh(ctx) })
	}
	return s, nil
}

func (s *Issuers) addAll(configs []IssuerConfig, deps Deps) error {
	var errs []error
	names := map[string]bool{}
	for _, c := range configs {
		errs = append(errs, c.check())
		if names[c.Name] || s.byIss[c.Issuer] != nil {
			errs = append(errs, fmt.Errorf("issuer %q: another has the same name or issuer", c.Name))
		}
		i := &issuer{
			config: c.withDefaults(), deps: deps, asks: newAsks(deps.Now),
			source: s.sourceOf(c), changed: s.move,
		}
		names[c.Name], s.byIss[c.Issuer] = true, i
		s.list = append(s.list, i)
	}
	return errors.Join(errs...)
}

func (s *Issuers) sourceOf(c IssuerConfig) source {
	switch {
	case c.JWKSFile != "":
		return fileSource{c.JWKSFile}
	case c.JWKSURL != "":
		return urlSource{s.client, c.JWKSURL}
	}
	return discoverySource{s.client, c.Issuer}
}

// readFiles reads what is at hand, so that it is there from the first request
// on, and a wrong path is an error of the start.
func (s *Issuers) readFiles(ctx context.Context) error {
	var errs []error
	for _, i := range s.list {
		if i.config.JWKSFile == "" {
			continue
		}
		if err := i.refresh(ctx); err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: jwks_file: %w", i.config.Name, err))
		}
	}
	return errors.Join(errs...)
}

// find returns the issuer whose `iss` it is, to the byte; nil if there is none.
func (s *Issuers) find(iss string) *issuer {
	if s == nil {
		return nil
	}
	return s.byIss[iss]
}

// keysPrint names the keys that are believed now: what was proven under other
// keys is not to be found under it.
func (s *Issuers) keysPrint() string {
	if s == nil {
		return ""
	}
	return *s.prints.Load()
}

// move names the keys anew. The keys must be in place already.
func (s *Issuers) move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := sha256.New()
	for _, i := range s.list {
		var sum [sha256.Size]byte
		if b := i.current.Load(); b != nil {
			sum = b.print
		}
		h.Write(sum[:])
	}
	name := hex.EncodeToString(h.Sum(nil))
	s.prints.Store(&name)
}

// Ready names the issuers that have no keys; nil means that every issuer's
// tokens can be judged.
func (s *Issuers) Ready() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, i := range s.list {
		if _, err := i.keys(s.now()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// State describes every issuer, in the order of the configuration.
func (s *Issuers) State() []IssuerState {
	if s == nil {
		return nil
	}
	states := make([]IssuerState, 0, len(s.list))
	for _, i := range s.list {
		states = append(states, i.state(s.now()))
	}
	return states
}

// Close ends the loops and waits for them.
func (s *Issuers) Close() {
	if s == nil {
		return
	}
	s.cancel()
	s.loops.Wait()
	if s.ours {
		s.client.CloseIdleConnections()
	}
}
