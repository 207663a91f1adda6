package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/postern-authz/postern/internal/access"
)

const (
	// decisionsPerSecond bounds the lines of denials and, apart from them, of
	// allows: about 1 MB a second in a flood, and denials never wait behind
	// allows.
	decisionsPerSecond = 1000
	// decisionQueue is how many lines may wait for a slow writer.
	decisionQueue = 1024
	// dropReport is how often lines that were dropped are told of.
	dropReport = time.Second
)

// decisionLog writes decision lines on a goroutine of its own, so that neither
// a slow disk nor the formatting is paid for by a request.
type decisionLog struct {
	logger  *slog.Logger
	sample  Sampler
	denials Pace
	allows  Pace
	now     func() time.Time

	queue   chan line
	dropped atomic.Int64
	counter metric.Int64Counter

	stop sync.Once
	quit chan struct{}
	done chan struct{}
}

func startDecisionLog(logger *slog.Logger, o Options, m *instruments) *decisionLog {
	l := &decisionLog{
		logger: logger, sample: NewSampler(o.AllowSample), now: o.Now, counter: m.decisions,
		denials: NewPace(decisionsPerSecond), allows: NewPace(decisionsPerSecond),
		queue: make(chan line, decisionQueue), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// note queues the line of a verdict if it is to have one. It never blocks.
func (l *decisionLog) note(req *access.Request, v *access.Verdict, took time.Duration) {
	bucket := &l.denials
	if v.Outcome() == access.Allowed && v.DryRun.Code == "" {
		if len(v.Warnings) == 0 && !l.sample.Takes(v.DecisionID) {
			return
		}
		bucket = &l.allows
	}
	if !bucket.Allow(l.now()) {
		l.drop()
		return
	}
	select {
	case l.queue <- newLine(req, v, took):
	default:
		l.drop()
	}
}

func (l *decisionLog) drop() {
	l.dropped.Add(1)
	l.counter.Add(context.Background(), 1)
}

func (l *decisionLog) run() {
	defer close(l.done)
	tick := time.NewTicker(dropReport)
	defer tick.Stop()
	for {
		select {
		case entry := <-l.queue:
			entry.write(l.logger)
		case <-tick.C:
			l.report()
		case <-l.quit:
			l.drain()
			return
		}
	}
}

func (l *decisionLog) drain() {
	for {
		select {
		case entry := <-l.queue:
			entry.write(l.logger)
		default:
			l.report()
			return
		}
	}
}

func (l *decisionLog) report() {
	if n := l.dropped.Swap(0); n > 0 {
		l.logger.Warn("decision lines were dropped", "count", n, "limit_per_second", decisionsPerSecond)
	}
}

// close ends the goroutine after what waits has been written.
func (l *decisionLog) close(ctx context.Context) error {
	l.stop.Do(func() { close(l.quit) })
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("telemetry: decision lines are still being written: %w", ctx.Err())
	}
}
