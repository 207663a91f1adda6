package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// keepChanges is the default of Options.KeepChanges.
const keepChanges = 100_000

// reopenEvery is the pause between two tries of a lazy Store to be ready.
const reopenEvery = 500 * time.Millisecond

// Store is a consumer.Ledger in a database.
type Store struct {
	options Options
	db      *database
	// live is nil until the store is ready.
	live   atomic.Pointer[live]
	notYet atomic.Pointer[error]
	// missed: it was logged that the database is not in its place.
	missed atomic.Bool
	bell   *bell
	// background ends with Close, which waits for what runs in it.
	background context.Context
	end        context.CancelFunc
	running    sync.WaitGroup
	watching   sync.Once
	rewrites   chan rewrite
}

// live is a database whose schema and peppers are in order.
type live struct {
	*database
	vault         *vault
	defaultPepper bool
	// findKey asks for as many lookups as there are peppers.
	findKey string
	// finds is what Find asks.
	finds conn
	now   func() time.Time
}

func (l *live) reading() session { return session{l.database, l.read} }

func (l *live) writing() session { return session{l.database, l.write} }

var _ consumer.Ledger = (*Store)(nil)

// Open opens a database, makes or moves its schema, and checks that every
// credential's pepper is known. A database whose schema is newer than this
// program is refused.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.KeepChanges = cmp.Or(o.KeepChanges, keepChanges)
	if o.FindTimeout == 0 {
		o.FindTimeout = map[string]time.Duration{SQLite: sqliteFindTimeout, Postgres: findTimeout}[o.Driver]
	}
	db, err := openDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{options: o, db: db, bell: newBell(), background: background, end: end, rewrites: make(chan rewrite, maxRewrites)}
	err = s.prepare(ctx)
	switch {
	case err == nil:
	case o.Lazy && errors.Is(err, consumer.ErrUnavailable):
		s.running.Go(s.prepareLater)
	default:
		return nil, errors.Join(err, s.Close())
	}
	s.running.Go(s.rewriteAll)
	return s, nil
}

func openDatabase(ctx context.Context, o Options) (*database, error) {
	switch o.Driver {
	case SQLite:
		return openSQLite(o)
	case Postgres:
		return openPostgres(ctx, o)
	}
	return nil, fmt.Errorf("there is no store driver %q; expected %s or %s", o.Driver, SQLite, Postgres)
}

// prepare makes the store ready.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.db.migrate(ctx); err != nil {
		s.notYet.Store(&err)
		return err
	}
	ready, err := s.db.unlock(ctx, s.options)
	if err != nil {
		s.notYet.Store(&err)
		return err
	}
	s.live.Store(ready)
	s.bell.ring()
	return nil
}

// prepareLater tries until the store is ready or closed.
func (s *Store) prepareLater() {
	told := ""
	for {
		select {
		case <-s.background.Done():
			return
		case <-time.After(reopenEvery):
		}
		err := s.prepare(s.background)
		if err == nil {
			s.options.Logger.Info("the store of consumers is ready")
			return
		}
		if text := err.Error(); text != told && s.background.Err() == nil {
			told = text
			s.options.Logger.Error("the store of consumers is not ready", "error", text)
		}
	}
}

// open returns the database once the store is ready, and while it is in its
// place.
func (s *Store) open() (*live, error) {
	ready := s.live.Load()
	if ready == nil {
		return nil, fmt.Errorf("%w: it is not ready", consumer.ErrUnavailable)
	}
	if err := ready.inPlace(); err != nil {
		if !s.missed.Swap(true) {
			s.options.Logger.Error("the store of consumers is lost", "error", err.Error())
		}
		return nil, err
	}
	if s.missed.Load() && s.missed.Swap(false) {
		s.options.Logger.Info("the store of consumers is in its place again")
	}
	return ready, nil
}

func (l *live) inPlace() error {
	if l.missing == nil {
		return nil
	}
	return l.missing()
}

// State says whether the store is ready.
func (s *Store) State() State {
	if ready := s.live.Load(); ready != nil {
		return State{Ready: true, Err: ready.inPlace(), DefaultPepper: ready.defaultPepper}
	}
	state := State{}
	if err := s.notYet.Load(); err != nil {
		state.Err = *err
	}
	return state
}

// Derive makes a key of 32 bytes for a purpose, the same in every process that
// has the same newest pepper. It fails while the store is not ready.
func (s *Store) Derive(purpose string) ([]byte, error) {
	live, err := s.open()
	if err != nil {
		return nil, err
	}
	return live.vault.derive(purpose)
}

// Close implements consumer.Ledger. It ends those who follow.
func (s *Store) Close() error {
	s.end()
	s.running.Wait()
	return s.db.close()
}
