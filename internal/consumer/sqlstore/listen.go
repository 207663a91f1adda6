package sqlstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// listenTimeout is how long a listener waits before it asks the server whether
// it is still there, and then how long for the answer.
const listenTimeout = 750 * time.Millisecond

// watchPostgres listens on a connection of its own. When that breaks, those of
// the pool are likely to be broken too.
func watchPostgres(ctx context.Context, config *pgx.ConnConfig, ring, renew func()) {
	for ctx.Err() == nil {
		if listened := listen(ctx, config, ring); listened {
			renew()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// listen rings for each announcement, and once at the start for those that
// nobody heard. It reports whether it had begun to listen when it failed.
func listen(ctx context.Context, config *pgx.ConnConfig, ring func()) bool {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenTimeout)
		defer cancel()
		_ = conn.Close(bounded) // nothing is lost with it
	}()
	if err := within(ctx, func(ctx context.Context) error { _, err := conn.Exec(ctx, "LISTEN "+channel); return err }); err != nil {
		return false
	}
	ring()
	for {
		err := within(ctx, func(ctx context.Context) error { _, err := conn.WaitForNotification(ctx); return err })
		if err == nil {
			ring()
			continue
		}
		if ctx.Err() != nil || conn.IsClosed() || within(ctx, conn.Ping) != nil {
			return true
		}
	}
}

func within(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	return do(bounded)
}
