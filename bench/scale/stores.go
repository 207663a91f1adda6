package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// pepper protects keys that are everybody's to know.
const pepper = "the pepper of keys that protect nothing"

// store is a database with so many keys.
type store struct {
	driver string
	keys   int
	// dsn is what Postern opens it with, fillDSN what fills it.
	dsn, fillDSN string
}

// stores are the two that are compared, and the server that they may need.
type stores struct {
	few, many store
	server    *cluster
}

func openStores(ctx context.Context, s settings, dir string) (*stores, error) {
	switch s.driver {
	case sqlstore.SQLite:
		return &stores{few: inSQLite(dir, fewKeys), many: inSQLite(dir, s.keys)}, nil
	case sqlstore.Postgres:
		server, err := startCluster(ctx, filepath.Join(dir, "postgres"))
		if err != nil {
			return nil, err
		}
		return &stores{few: server.store(fewKeys), many: server.store(s.keys), server: server}, nil
	}
	return nil, fmt.Errorf("there is no driver %q; expected sqlite or postgres", s.driver)
}

// inSQLite is filled with a large cache, which keeps the index of digests in
// memory.
func inSQLite(dir string, keys int) store {
	path := filepath.Join(dir, fmt.Sprintf("keys-%d.db", keys))
	return store{driver: sqlstore.SQLite, keys: keys, dsn: path, fillDSN: "file:" + path + "?_pragma=cache_size(-3000000)"}
}

func (s *stores) fill(ctx context.Context, progress io.Writer) error {
	for _, one := range []store{s.few, s.many} {
		if s.server != nil {
			if err := s.server.create(ctx, one); err != nil {
				return err
			}
		}
		if err := one.fill(ctx, progress); err != nil {
			return err
		}
		if s.server != nil {
			if err := s.server.analyze(ctx, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stores) close() error {
	if s.server == nil {
		return nil
	}
	return s.server.stop()
}

// open opens a store as Postern does.
func open(ctx context.Context, driver, dsn string) (*sqlstore.Store, error) {
	return sqlstore.Open(ctx, sqlstore.Options{
		Driver: driver, DSN: access.NewSecret(dsn), Peppers: []access.Secret{access.NewSecret(pepper)}, Now: time.Now, Random: rand.Reader,
	})
}
