package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-authz/postern/internal/consumer"
)

func TestPostgresErrors(t *testing.T) {
	d := &database{translate: translatePostgres}
	state := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		err, want error
	}{
		{state("53100"), consumer.ErrFull},        // disk_full
		{state("53300"), consumer.ErrUnavailable}, // too_many_connections
		{state("57P01"), consumer.ErrUnavailable}, // admin_shutdown
		{state("57P03"), consumer.ErrUnavailable}, // cannot_connect_now
		{state("57014"), consumer.ErrUnavailable}, // query_canceled, by statement_timeout
		{state("40P01"), consumer.ErrUnavailable}, // deadlock_detected
		{state("55P03"), consumer.ErrUnavailable}, // lock_not_available
		{state("25006"), consumer.ErrUnavailable}, // read_only_sql_transaction
		{io.ErrUnexpectedEOF, consumer.ErrUnavailable},
		{context.DeadlineExceeded, consumer.ErrUnavailable},
		{&consumer.Outcome{Kind: "plan", Name: "p", Err: consumer.ErrExists}, consumer.ErrExists},
		{state("42601"), nil}, // syntax_error: our own fault
		{errors.New("other"), nil},
	} {
		got := d.fault(t.Context(), c.err)
		if c.want != nil && !errors.Is(got, c.want) {
			t.Errorf("%v became %v; want %v", c.err, got, c.want)
		}
		if c.want == nil && (errors.Is(got, consumer.ErrUnavailable) || errors.Is(got, consumer.ErrFull)) {
			t.Errorf("%v became %v; want a plain fault", c.err, got)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := d.fault(ended, io.EOF); !errors.Is(got, context.Canceled) || errors.Is(got, consumer.ErrUnavailable) {
		t.Errorf("the caller's end became %v", got)
	}
}
