package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postern-authz/postern/internal/consumer"
)

// pollEvery is how often SQLite is asked whether another process wrote. The
// question reads a number in shared memory.
const pollEvery = 50 * time.Millisecond

// sqliteFindTimeout is the default of Options.FindTimeout.
const sqliteFindTimeout = time.Second

// openSQLite opens a file with one connection that writes and some that read.
// In WAL mode neither waits for the other. A commit is on the disk when it
// returns (synchronous=FULL). BEGIN IMMEDIATE takes the writer's lock at once:
// a transaction that reads first and then writes could lose the race and would
// fail in spite of the time-out.
func openSQLite(o Options) (*database, error) {
	file, missing, err := sqliteFile(string(o.DSN.Reveal()))
	if err != nil {
		return nil, err
	}
	const always = "_defensive=1&_dqs=0&_error_rc=1&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)"
	write, err := sql.Open("sqlite", file+always+"&_txlock=immediate&_pragma=busy_timeout(4000)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=journal_size_limit(67108864)")
	if err != nil {
		return nil, fmt.Errorf("the store: %w", err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", file+always+"&_pragma=busy_timeout(80)&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(2 + 2*runtime.GOMAXPROCS(0))
	read.SetMaxIdleConns(2 + 2*runtime.GOMAXPROCS(0))
	return &database{
		read: read, write: write,
		dialect: goose.DialectSQLite3, migrations: "sqlite",
		lockMigrations: func(context.Context) (func(), error) { return func() {}, nil },
		migrateTries:   20,
		used: `UPDATE credentials SET last_used_at = u.value FROM json_each($1) u
			WHERE credentials.id = u.key AND last_used_at < u.value`,
		explain:   "EXPLAIN QUERY PLAN ",
		fill:      fillSQLite,
		compiles:  true,
		translate: translateSQLite,
		watch:     func(ctx context.Context, ring func()) { watchSQLite(ctx, read, ring) },
		tries:     1, // waiting for a lock is left to SQLite
		renew:     func() {},
		missing:   missing,
		close:     func() error { return errors.Join(read.Close(), write.Close()) },
	}, nil
}

// sqliteFile makes a URI of a DSN that more parameters can be added to, and
// makes the file if there is none: readable by its owner alone, which SQLite
// gives to the files beside it, too. missing tells when another file or none
// stands in its place.
func sqliteFile(dsn string) (uri string, missing func() error, err error) {
	path, parameters, isURI := dsn, "", strings.HasPrefix(dsn, "file:")
	if isURI {
		parsed, err := url.Parse(dsn)
		if err != nil {
			return "", nil, errors.New("the DSN of the store is not a URI that can be read")
		}
		path, parameters = parsed.Path+parsed.Opaque, parsed.RawQuery
	}
	if path == "" || path == ":memory:" || strings.Contains(parameters, "mode=memory") {
		return "", nil, errors.New("the store needs a file: a database in memory would be another one for each connection")
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("the store: %w", pathError(err))
	}
	opened, err := file.Stat()
	if err = errors.Join(err, file.Close()); err != nil {
		return "", nil, fmt.Errorf("the store: %w", err)
	}
	if parameters != "" {
		parameters += "&"
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + parameters, func() error { return misses(path, opened) }, nil
}

// misses reports a file that was moved, deleted or replaced. SQLite would go on
// in the one that is open, and what it acknowledged would be gone with the
// process; nor would it hear of what others write at that path.
func misses(path string, opened os.FileInfo) error {
	if at, err := os.Stat(path); err == nil && os.SameFile(at, opened) {
		return nil
	}
	return fmt.Errorf("%w: its file %s was moved, deleted or replaced; put it back, or restart", consumer.ErrUnavailable, path)
}

// pathError says whether the disk is full.
func pathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && isFull(path.Err) {
		return fmt.Errorf("%w: %w", consumer.ErrFull, err)
	}
	return err
}

func translateSQLite(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return nil
	}
	switch code := failure.Code(); code {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return consumer.ErrFull // a write that the system cut short, as quotas and limits do
	default:
		switch code & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
			sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return consumer.ErrUnavailable
		}
	}
	return nil
}

// watchSQLite rings when PRAGMA data_version says that another connection has
// committed. It holds one connection, since the number is each connection's
// own.
func watchSQLite(ctx context.Context, db *sql.DB, ring func()) {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for ctx.Err() == nil {
		_ = pollSQLite(ctx, db, ticks.C, ring) // it is tried again at the next tick
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

func pollSQLite(ctx context.Context, db *sql.DB, ticks <-chan time.Time, ring func()) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back into the pool
	for last := int64(-1); ; {
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
			return err
		}
		if version != last {
			ring()
		}
		last = version
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks:
		}
	}
}
