package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/postern-authz/postern/internal/consumer"
)

const (
	// findTimeout is the default of Options.FindTimeout.
	findTimeout = 120 * time.Millisecond
	// dialTimeout bounds a connection's set-up: a server that hung and is well
	// again is reached after that.
	dialTimeout = time.Second
	// channel is what changes are announced on.
	channel = "postern_changes"
	// migrationLock is the advisory lock of those who move the schema.
	migrationLock = "SELECT pg_advisory_lock(hashtext('postern: schema'))"
)

// openPostgres makes a pool, which outlives ctx and connects when it is asked
// to.
func openPostgres(ctx context.Context, o Options) (*database, error) {
	config, err := poolConfig(string(o.DSN.Reveal()))
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, errors.New("the pool of connections can't be made")
	}
	db := stdlib.OpenDBFromPool(pool)
	return &database{
		read: db, write: db,
		dialect: goose.DialectPostgres, migrations: "postgres",
		lockMigrations: func(ctx context.Context) (func(), error) { return lockSchema(ctx, pool) },
		migrateTries:   1,
		one:            &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		hold:           " FOR UPDATE",
		announce:       "NOTIFY " + channel,
		used: `UPDATE credentials SET last_used_at = u.value::bigint FROM json_each_text($1::json) u
			WHERE credentials.id = u.key AND last_used_at < u.value::bigint`,
		explain:   "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) ",
		fill:      fillPostgres,
		clock:     "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
		translate: translatePostgres,
		watch: func(ctx context.Context, ring func()) {
			watchPostgres(ctx, config.ConnConfig, ring, pool.Reset)
		},
		tries: 3,
		renew: pool.Reset,
		close: func() error { err := db.Close(); pool.Close(); return err },
	}, nil
}

// poolConfig reads the DSN, and adds the bounds that it doesn't give. The
// server ends what a vanished client left open: it could hold the head row, and
// with it every change.
func poolConfig(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the DSN of the store can't be read; expected postgres://user:password@host:port/database or key=value pairs") // err may quote it
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = int32(max(8, 2*runtime.GOMAXPROCS(0)))
	}
	config.MinIdleConns = 1
	config.HealthCheckPeriod = time.Second
	config.PingTimeout = findTimeout / 2
	if !strings.Contains(dsn, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = dialTimeout
	}
	for name, value := range map[string]string{
		"application_name":                    "postern",
		"statement_timeout":                   "30s",
		"lock_timeout":                        "5s",
		"idle_in_transaction_session_timeout": "10s",
	} {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	return config, nil
}

// lockSchema waits until no other process moves the schema. The lock ends with
// the connection.
func lockSchema(ctx context.Context, pool *pgxpool.Pool) (func(), error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	own := conn.Hijack()
	unlock := func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
		defer cancel()
		_ = own.Close(bounded) // the lock ends in any case
	}
	// Others may hold it for as long as a schema takes to move.
	if _, err := own.Exec(ctx, "SET lock_timeout = 0"); err != nil {
		unlock()
		return nil, err
	}
	if _, err := own.Exec(ctx, migrationLock); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// translatePostgres goes by the classes of SQLSTATE (PostgreSQL's appendix A).
func translatePostgres(err error) error {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		switch {
		case failure.Code == "53100": // disk_full
			return consumer.ErrFull
		case isClass(failure.Code, "08", "53", "57", "40", "55", "28", "3D"), failure.Code == "25006":
			// Connection, resources, operator's intervention, rolled back, in use,
			// no entry, no such database; a stand-by that takes no writes.
			return consumer.ErrUnavailable
		}
		return nil
	}
	var dial *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &dial) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) {
		return consumer.ErrUnavailable
	}
	return nil
}

func isClass(code string, classes ...string) bool {
	for _, class := range classes {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
