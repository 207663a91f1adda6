package rollout

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/telemetry"
)

const (
	// maxWaiting is how many decisions may wait for the candidate, and
	// maxWaitingBytes how much of requests they may hold on to.
	maxWaiting      = 1024
	maxWaitingBytes = 32 << 20
	// flipsLogged is how many differences a second have a line in the log.
	flipsLogged = 10
)

// Meter counts. Compared is called by one goroutine, Dropped by many.
type Meter interface {
	Compared(kind, code, route string)
	Dropped()
}

// ShadowOptions are what a Shadow stands on.
type ShadowOptions struct {
	Meter  Meter
	Logger *slog.Logger
	Now    func() time.Time
}

// Shadow asks a candidate policy beside the one in force. What it is asked, how
// long that takes and what goes wrong has no effect on any request: a decision
// is handed over without waiting, or dropped and counted.
type Shadow struct {
	options   ShadowOptions
	candidate atomic.Pointer[candidate]
	queue     chan asked
	// held is how much the requests in the queue hold, in bytes.
	held atomic.Int64
	pace telemetry.Pace

	mu     sync.Mutex
	report Report
	stop   context.CancelFunc
	done   chan struct{}
}

// asked is a decision that was made, and what on. Requests are not used again
// by the doors that made them, and nobody changes one once it was decided on.
type asked struct {
	question *gate.Question
	decision access.Decision
	err      error
	size     int64
	// candidate is whom it was meant for, and revision whose decision it is.
	candidate *candidate
	revision  string
}

// NewShadow makes a Shadow without a candidate. It is closed by Close.
func NewShadow(o ShadowOptions) *Shadow {
	return &Shadow{options: o, queue: make(chan asked, maxWaiting), pace: telemetry.NewPace(flipsLogged)}
}

// Policy decides as next does, and hands a part of that to the candidate.
// revision is next's.
func (s *Shadow) Policy(next gate.Policy, revision string) gate.Policy {
	return &shadowed{next, s, revision}
}

type shadowed struct {
	next     gate.Policy
	shadow   *Shadow
	revision string
}

// Decide implements gate.Policy.
func (p *shadowed) Decide(ctx context.Context, q *gate.Question) (access.Decision, error) {
	d, err := p.next.Decide(ctx, q)
	if c := p.shadow.candidate.Load(); c != nil && c.sample.Takes(q.DecisionID) && !q.Request.Explain.On() {
		p.shadow.ask(asked{question: q, decision: d, err: err, candidate: c, revision: p.revision})
	}
	return d, err
}

// ask never waits.
func (s *Shadow) ask(a asked) {
	a.size = sizeOf(a.question.Request)
	if s.held.Add(a.size) > maxWaitingBytes {
		s.drop(&a)
		return
	}
	select {
	case s.queue <- a:
	default:
		s.drop(&a)
	}
}

func (s *Shadow) drop(a *asked) {
	s.held.Add(-a.size)
	s.options.Meter.Dropped()
	a.candidate.dropped.Add(1)
}

// sizeOf is about how many bytes a request holds.
func sizeOf(r *access.Request) int64 {
	n := 1024 + len(r.Body) + 2*len(r.RawPath)
	for i := range r.Headers {
		n += 32 + len(r.Headers[i].Name) + len(r.Headers[i].Value)
	}
	return int64(n)
}

// Set makes a policy the candidate for a part of decisions, from 0 to 1. What
// was counted for it goes on where it was the candidate already, under the same
// revision in force.
func (s *Shadow) Set(p *policy.Snapshot, sample float64, inForce string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.candidate.Load()
	next := newCandidate(p, sample, inForce)
	if last != nil && last.policy.Rules() == p.Rules() && last.against == inForce {
		next.counts = last.counts
	}
	s.candidate.Store(next)
	s.report = Report{}
	s.begin()
}

// Fail says why there is no candidate; nobody is asked then. A nil error says
// that none is wanted.
func (s *Shadow) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.candidate.Store(nil)
	s.report = Report{}
	if err != nil {
		s.report.Error = err.Error()
	}
	s.end()
}

// Candidate is the policy that is asked beside the one in force; nil: none.
func (s *Shadow) Candidate() *policy.Snapshot {
	if c := s.candidate.Load(); c != nil {
		return c.policy
	}
	return nil
}

// Close ends what the Shadow began.
func (s *Shadow) Close() { s.Fail(nil) }

// begin starts the one goroutine that evaluates. The caller holds mu.
func (s *Shadow) begin() {
	if s.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	go s.work(ctx, s.done)
}

// end waits for the goroutine's end: an evaluation sees ctx end at once. The
// caller holds mu.
func (s *Shadow) end() {
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.done
	s.stop = nil
}

// work compares what is handed over, for at most half of one core's time: what
// is put off then is dropped rather than late.
func (s *Shadow) work(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	defer s.forget()
	var debt time.Duration
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case a := <-s.queue:
			s.held.Add(-a.size)
			began := time.Now()
			if a.candidate == s.candidate.Load() { // another one has come since, otherwise
				s.compare(ctx, a.candidate, &a)
			}
			if debt += time.Since(began); debt > restAfter {
				rest(ctx, debt)
				debt = 0
			}
		}
	}
}

// restAfter is how much work is done at a stretch.
const restAfter = 5 * time.Millisecond

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// forget lets go of the requests that wait.
func (s *Shadow) forget() {
	for {
		select {
		case a := <-s.queue:
			s.held.Add(-a.size)
		default:
			return
		}
	}
}
