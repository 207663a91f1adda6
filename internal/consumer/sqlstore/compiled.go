package sqlstore

import (
	"context"
	"database/sql"
)

// SQLite compiles a statement each time that it is run, which costs more than
// to run one like ours; pgx keeps compiled ones by itself.

// compiled runs the statements of one transaction, each of which it compiles
// once. They end with the transaction.
type compiled struct {
	tx         *sql.Tx
	statements map[string]*sql.Stmt
}

func (d *database) within(tx *sql.Tx) conn {
	if !d.compiles {
		return tx
	}
	return &compiled{tx, map[string]*sql.Stmt{}}
}

func (c *compiled) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if known := c.statements[query]; known != nil {
		return known, nil
	}
	made, err := c.tx.PrepareContext(ctx, query)
	if err == nil {
		c.statements[query] = made
	}
	return made, err
}

// QueryContext implements conn.
func (c *compiled) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := c.statement(ctx, query) //nolint:sqlclosecheck // it ends with the transaction
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

// ExecContext implements conn.
func (c *compiled) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	statement, err := c.statement(ctx, query) //nolint:sqlclosecheck // it ends with the transaction
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, args...)
}

// finding is a pool on which the look-ups of Find stay compiled, on each of its
// connections.
type finding struct {
	*sql.DB
	statements map[string]*sql.Stmt
}

func (d *database) finding(ctx context.Context, queries ...string) (conn, error) {
	if !d.compiles {
		return d.read, nil
	}
	f := &finding{d.read, map[string]*sql.Stmt{}}
	for _, query := range queries {
		statement, err := d.read.PrepareContext(ctx, query) //nolint:sqlclosecheck // it ends with the pool
		if err != nil {
			return nil, d.fault(ctx, err)
		}
		f.statements[query] = statement
	}
	return f, nil
}

// QueryContext implements conn.
func (f *finding) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if statement := f.statements[query]; statement != nil {
		return statement.QueryContext(ctx, args...)
	}
	return f.DB.QueryContext(ctx, query, args...)
}
