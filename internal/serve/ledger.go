package serve

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/consumer/replica"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/gate"
)

// OpenStore opens the store of a configuration that has one. With lazy it need
// not be reachable yet.
func OpenStore(ctx context.Context, c *config.Store, lazy bool, logger *slog.Logger) (*sqlstore.Store, error) {
	store, err := sqlstore.Open(ctx, sqlstore.Options{
		Driver: c.Driver, DSN: c.DSN, Peppers: c.Peppers, Lazy: lazy,
		Now: time.Now, Random: rand.Reader, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("consumers.store: %w", err)
	}
	return store, nil
}

// ledger is the store of consumers with what follows it, nil where nothing is
// served. A nil ledger is that of a configuration whose consumers are in files
// alone.
type ledger struct {
	store   *sqlstore.Store
	replica *replica.Replica
}

// openLedger opens the store and follows it: what changes there is forgotten
// here.
func openLedger(ctx context.Context, c *config.Store, memory *caches, version string, logger *slog.Logger) (*ledger, error) {
	if c == nil {
		return nil, nil
	}
	store, err := OpenStore(ctx, c, true, logger)
	if err != nil {
		return nil, err
	}
	if store.State().DefaultPepper {
		logger.Warn("what the store of consumers keeps is protected by a pepper that lies beside it in the database; configure consumers.store.pepper")
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return &ledger{store: store, replica: replica.Start(context.WithoutCancel(ctx), store, replica.Options{
		ID: newDecisionID(), Name: name, Version: version,
		Forget: memory.proofs.ForgetOwner, ForgetAll: memory.proofs.ForgetAll,
		Now: time.Now, Random: rand.Reader, Logger: logger,
	})}, nil
}

// close takes this instance out of the store's list and closes the store.
func (l *ledger) close(logger *slog.Logger) {
	if l == nil {
		return
	}
	if l.replica != nil {
		l.replica.Close()
	}
	if err := l.store.Close(); err != nil {
		logger.Warn("the store of consumers was not closed well", "error", err.Error())
	}
}

// consumers puts the files before the store.
func (l *ledger) consumers(files *file.Snapshot) consumer.Store {
	if l == nil {
		return files
	}
	return replica.NewStore(files, l.store)
}

// staleness is what the gate asks; nil where nothing can be stale.
func (l *ledger) staleness() func() time.Duration {
	if l == nil || l.replica == nil {
		return nil
	}
	return l.replica.Staleness
}

// recorder notes the use of the store's credentials, beside what another one
// records.
func (l *ledger) recorder(next gate.Recorder) gate.Recorder {
	if l == nil {
		return next
	}
	return uses{Recorder: next, touch: l.replica.Touch}
}

// uses is a recorder that notes when credentials were last used.
type uses struct {
	gate.Recorder
	touch func(id string, at time.Time)
}

// Record implements gate.Recorder. A credential that was proven was used,
// whatever policy says then.
func (u uses) Record(req *access.Request, verdict *access.Verdict, took time.Duration) {
	if id := verdict.Identity; !id.Anonymous() && id.Consumer.Stored && id.Credential != nil {
		u.touch(id.Credential.ID, time.Now())
	}
	u.Recorder.Record(req, verdict, took)
}

// StoreReport is the state of the store of consumers.
type StoreReport struct {
	// Reached: it was, since the start.
	Reached bool `json:"reached"`
	// Sequence is the last change that is applied here.
	Sequence consumer.Sequence `json:"sequence"`
	// Staleness is how long ago it was last certain that nothing is missing, in
	// seconds; absent before Reached.
	Staleness *float64 `json:"staleness_seconds,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// report is nil where consumers are in files alone.
func (l *ledger) report() *StoreReport {
	if l == nil {
		return nil
	}
	s := l.replica.State()
	r := &StoreReport{Reached: s.Begun, Sequence: s.Sequence}
	if s.Begun {
		seconds := s.Staleness.Seconds()
		r.Staleness = &seconds
	}
	if s.Failure != nil {
		r.Error = s.Failure.Error()
	} else if err := l.store.State().Err; err != nil {
		r.Error = err.Error()
	}
	return r
}
