package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/postern-authz/postern/internal/consumer"
)

// statementTimeout bounds each statement, but for look-ups: Options.FindTimeout
// is theirs.
const statementTimeout = 5 * time.Second

// database is an open database with all that is particular to its dialect.
type database struct {
	read, write *sql.DB
	dialect     goose.Dialect
	// migrations is the folder of the dialect.
	migrations string
	// lockMigrations keeps other processes from moving the schema meanwhile.
	lockMigrations func(context.Context) (unlock func(), err error)
	// migrateTries is how often the schema is moved before that has failed.
	migrateTries int
	// one is what a View sees one state with.
	one *sql.TxOptions
	// hold is added to the SELECT of the head row, to hold it until commit.
	hold string
	// announce tells other processes of a change, within its transaction.
	announce string
	// used notes last uses, given as a JSON object of ids and times.
	used string
	// fill is the statement that adds rows to a table, given as a JSON array of
	// objects.
	fill func(table, columns string) string
	// explain begins a statement that tells how another one is answered.
	explain string
	// clock is the database's clock in microseconds; empty: ours counts.
	clock string
	// compiles: statements that are repeated are worth to be kept compiled.
	compiles bool
	// translate finds the sentinel that an error of the driver is.
	translate func(error) error
	// watch rings when another process may have changed something, until ctx
	// ends.
	watch func(ctx context.Context, ring func())
	// tries is how often something is tried, within its time, over a connection
	// that turns out to be broken; renew drops those that are likely to be.
	tries int
	renew func()
	// missing says that what is open is not what stands at the database's place any
	// more; nil where that can't be.
	missing func() error
	close   func() error
}

// fault gives an error of the driver the sentinel that callers tell apart. An
// ended context of the caller's stays what it is.
func (d *database) fault(ctx context.Context, err error) error {
	switch {
	case err == nil || classed(err):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w (%w)", ctx.Err(), err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: it does not answer in time", consumer.ErrUnavailable)
	}
	if sentinel := d.translate(err); sentinel != nil {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return fmt.Errorf("the store: %w", err)
}

func classed(err error) bool {
	var outcome *consumer.Outcome
	return errors.As(err, &outcome) || errors.Is(err, consumer.ErrUnavailable) || errors.Is(err, consumer.ErrFull)
}

// transaction does work in a transaction, and commits it unless work fails.
func (d *database) transaction(ctx context.Context, db *sql.DB, options *sql.TxOptions, work func(*sql.Tx) error) error {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	// Beginning and committing have no context of their own in database/sql.
	bound := time.AfterFunc(statementTimeout, cancel)
	defer bound.Stop()
	tx, err := d.begin(bounded, db, options)
	if err != nil {
		return d.fault(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it says that all is done
	if !bound.Stop() {
		return fmt.Errorf("%w: it does not answer in time", consumer.ErrUnavailable)
	}
	if err := work(tx); err != nil {
		return err
	}
	bound.Reset(statementTimeout)
	return d.fault(ctx, tx.Commit())
}

// begin tries again over a connection that was broken while it was idle:
// nothing was done on it yet.
func (d *database) begin(ctx context.Context, db *sql.DB, options *sql.TxOptions) (*sql.Tx, error) {
	for try := 1; ; try++ {
		tx, err := db.BeginTx(ctx, options)
		if err == nil || try == d.tries || ctx.Err() != nil || !errors.Is(d.translate(err), consumer.ErrUnavailable) {
			return tx, err
		}
		d.renew()
	}
}
