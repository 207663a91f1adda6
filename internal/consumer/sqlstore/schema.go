package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrateTimeout bounds the move of a schema. Waiting for another process that
// moves it counts.
const migrateTimeout = time.Minute

// errNewer: an older program on a newer schema could break what it doesn't
// know of.
var errNewer = errors.New("the database was written by a newer Postern")

// migrate moves the schema forward to what this program knows. SQLite has no
// lock for it, but each move is a transaction: a process that comes second
// fails, and then finds the work done.
func (d *database) migrate(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	unlock, err := d.lockMigrations(bounded)
	if err != nil {
		return d.fault(ctx, err)
	}
	defer unlock()
	for try := 1; ; try++ {
		err := d.migrateOnce(bounded)
		if err == nil || errors.Is(err, errNewer) || try == d.migrateTries || bounded.Err() != nil {
			return d.fault(ctx, err)
		}
	}
}

func (d *database) migrateOnce(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations/"+d.migrations)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(d.dialect, d.write, folder,
		goose.WithTableName("schema_migrations"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > known {
		return fmt.Errorf("%w: its schema is version %d, and this one knows those up to %d", errNewer, current, known)
	}
	_, err = provider.Up(ctx)
	return err
}
