package sqlstore

import (
	"io"
	"log/slog"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// The drivers.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Options say which database a Store is kept in.
type Options struct {
	// Driver is SQLite or Postgres.
	Driver string
	// DSN is a file's path (or a "file:" URI) for SQLite, and a connection URL or
	// "key=value" string for PostgreSQL, which may hold a password.
	DSN access.Secret
	// Peppers protect what is kept, newest first; each has at least 32 bytes. The
	// newest protects what is written, the others find what was written before.
	// None: one is made and kept in the database itself.
	Peppers []access.Secret
	// Lazy lets Open return a Store whose PostgreSQL can't be reached yet. It goes
	// on trying, and answers consumer.ErrUnavailable until then.
	Lazy bool
	// KeepChanges is how many rows of the feed are kept for those that fall
	// behind; 0: 100,000.
	KeepChanges int
	// FindTimeout bounds a look-up; 0: 120 ms, since gateways are used to wait
	// 200 ms for an answer, and 1 s on SQLite, which nobody can keep waiting but a
	// disk.
	FindTimeout time.Duration
	Now         func() time.Time
	Random      io.Reader
	Logger      *slog.Logger
}

// State is how a Store stands.
type State struct {
	// Ready: it was reached, and its schema and peppers are in order. What comes
	// after that shows in each call alone.
	Ready bool
	// Err is why it is not ready, or that its file is not in its place any more.
	Err error
	// DefaultPepper: what is written is protected by a pepper that lies in the
	// database beside it, since none is configured.
	DefaultPepper bool
}

// PepperUse is how many credentials a pepper protects.
type PepperUse struct {
	// ID tells peppers apart; it says nothing about them.
	ID string
	// Newest: it is the one that new credentials are written under.
	Newest      bool
	Credentials int64
}
