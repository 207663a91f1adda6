package introspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxInFlight bounds the calls that run at once.
const maxInFlight = 64

// Errors of a server that is not asked. All are faults.
var (
	errOpen = errors.New("not asked: its last calls failed, and the pause after them is not over")
	errBusy = errors.New("not asked: too many calls are under way")
)

// Server is an authorization server that is asked about tokens. It is used by
// many goroutines at once.
type Server struct {
	config ServerConfig
	deps   Deps
	client *http.Client
	ours   bool // the client's transport was made here
	closed atomic.Bool
	// discovered is the endpoint, where none is configured; nil: not yet.
	discovered atomic.Pointer[string]
	slots      chan struct{}
	breaker    breaker
	// asked and failed count for State.
	asked, failed atomic.Uint64

	mu          sync.Mutex
	lastSuccess time.Time
	lastError   string
}

// State is how a server is doing, for people and metrics.
type State struct {
	Name string
	// Open says that the breaker is open: requests with tokens that are not
	// remembered are faults.
	Open bool
	// InFlight are the calls under way.
	InFlight int
	// Requests are the tokens that the server was to tell of, and Failures those
	// of them that stayed without an answer, asked or not.
	Requests, Failures uint64
	LastSuccess        time.Time
	// LastError is of the last call; empty when it succeeded.
	LastError string
}

// Open makes a server; nothing is asked yet. Its owner closes it.
func Open(config ServerConfig, deps Deps) (*Server, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	deps = deps.withDefaults()
	return &Server{
		config: config, deps: deps,
		client:  newClient(deps.Client),
		ours:    deps.Client == nil || deps.Client.Transport == nil,
		slots:   make(chan struct{}, maxInFlight),
		breaker: breaker{now: deps.Now},
	}, nil
}

// Name is the server's configured name.
func (s *Server) Name() string { return s.config.Name }

// State describes the server.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Name: s.config.Name, Open: s.breaker.open(), InFlight: len(s.slots),
		Requests: s.asked.Load(), Failures: s.failed.Load(), LastSuccess: s.lastSuccess, LastError: s.lastError,
	}
}

// Close lets go of idle connections. Calls under way end by themselves, within
// the timeout; requests that still hold older rules may go on asking.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.closed.Store(true)
	s.closeIdle()
}

func (s *Server) closeIdle() {
	if s.ours {
		s.client.CloseIdleConnections()
	}
}

// ask returns what the server says about a token: the text of its answer. Any
// error is a fault.
func (s *Server) ask(ctx context.Context, token string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	s.asked.Add(1)
	text, err := s.askInTurn(ctx, token)
	if err != nil {
		s.failed.Add(1)
		return "", fmt.Errorf("introspection server %q: %w", s.config.Name, err)
	}
	return text, nil
}

// askInTurn waits for one of the bounded places, within the time that a call
// has.
func (s *Server) askInTurn(ctx context.Context, token string) (string, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return "", errBusy
	}
	defer s.leave()
	if !s.breaker.allow() {
		return "", errOpen
	}
	settled := false
	defer func() {
		if !settled { // a panic must not leave the breaker waiting for a probe
			s.breaker.done(unknown)
		}
	}()
	text, t := s.callTwice(ctx, token)
	settled = true
	s.note(t)
	if t != nil {
		return "", t
	}
	return text, nil
}

func (s *Server) leave() {
	<-s.slots
	if s.closed.Load() {
		s.closeIdle()
	}
}

// callTwice calls once more when the connection failed and there is time left:
// a server that restarts, or closed an idle connection, is no reason to refuse
// a request. To be asked twice changes nothing at the server.
func (s *Server) callTwice(ctx context.Context, token string) (string, *trouble) {
	text, t := s.call(ctx, token)
	if t == nil || !t.broken {
		return text, t
	}
	pause := time.NewTimer(time.Duration(s.deps.Jitter() * float64(maxPause)))
	defer pause.Stop()
	select {
	case <-pause.C:
		return s.call(ctx, token)
	case <-ctx.Done():
		return "", t
	}
}

// note tells the breaker and those who look how a call ended. Only the
// breaker's changes are logged: every fault stands in the log of its own
// request already.
func (s *Server) note(t *trouble) {
	how, text := answered, ""
	if t != nil {
		how, text = t.outcome, t.text
	}
	changed := s.breaker.done(how)
	s.mu.Lock()
	s.lastError = text
	if t == nil {
		s.lastSuccess = s.deps.Now()
	}
	s.mu.Unlock()
	switch {
	case changed && how == failed:
		s.deps.Logger.Error("introspection server is not asked for now: its last calls failed", "server", s.config.Name, "pause", openFor.String(), "error", text)
	case changed:
		s.deps.Logger.Info("introspection server answers again", "server", s.config.Name)
	}
}
