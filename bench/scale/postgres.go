package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postern-authz/postern/bench/program"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// cluster is a PostgreSQL of the run's own. It may lose everything in a crash,
// for speed, and does nothing in the background while something is measured.
type cluster struct {
	bin, dir, address string
	as                *syscall.SysProcAttr
	process           *exec.Cmd
}

func startCluster(ctx context.Context, dir string) (*cluster, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	as, err := postgresUser(dir)
	if err != nil {
		return nil, err
	}
	at, err := program.FreeAddresses()
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: filepath.Join(dir, "cluster"), address: at.Admin, as: as}
	if _, err := os.Stat(filepath.Join(c.dir, "PG_VERSION")); err != nil {
		if err := c.make(ctx); err != nil {
			return nil, err
		}
	}
	err = c.start(ctx)
	return c, err
}

// postgresBin is the folder of the newest PostgreSQL: $POSTGRES_BIN, or where
// Debian has it.
func postgresBin() (string, error) {
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: `make postgres` gets it, or name the folder of its programs in $POSTGRES_BIN")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// postgresUser makes the folder and hands it to the user postgres where this
// runs as root, as whom PostgreSQL refuses to run.
func postgresUser(dir string) (*syscall.SysProcAttr, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil || os.Getuid() != 0 {
		return nil, err
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, err
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return as, os.Chown(dir, int(uid), int(gid))
}

func (c *cluster) make(ctx context.Context) error {
	initdb := c.command("initdb", "-D", c.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return ctx.Err()
}

func (c *cluster) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return err
	}
	args := []string{"-D", c.dir, "-p", port}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=1GB", "fsync=off", "full_page_writes=off",
		"synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=8GB", "autovacuum=off", "log_min_messages=error",
	} {
		args = append(args, "-c", setting)
	}
	c.process = c.command("postgres", args...)
	if err := c.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, program.Patience)
	defer cancel()
	for {
		err := c.do(ctx, "postgres", "SELECT 1")
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(fmt.Errorf("PostgreSQL is not ready: %w", err), c.stop())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = c.as, "/"
	return cmd
}

func (c *cluster) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", c.address, database)
}

func (c *cluster) do(ctx context.Context, database, statement string) error {
	conn, err := pgx.Connect(ctx, c.dsn(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func (c *cluster) store(keys int) store {
	dsn := c.dsn(databaseOf(keys))
	return store{driver: sqlstore.Postgres, keys: keys, dsn: dsn, fillDSN: dsn}
}

func databaseOf(keys int) string { return fmt.Sprintf("keys_%d", keys) }

// create makes the database of a store, unless it is there.
func (c *cluster) create(ctx context.Context, s store) error {
	if c.do(ctx, databaseOf(s.keys), "SELECT 1") == nil {
		return nil
	}
	return c.do(ctx, "postgres", "CREATE DATABASE "+databaseOf(s.keys))
}

// analyze does what autovacuum would do after a while.
func (c *cluster) analyze(ctx context.Context, s store) error {
	return c.do(ctx, databaseOf(s.keys), "VACUUM ANALYZE")
}

// stop ends it, and with it every connection (a fast shutdown).
func (c *cluster) stop() error {
	if err := c.process.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	return c.process.Wait()
}
