package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a running PostgreSQL.
type Postgres struct {
	*Process
	// Address is where it listens, without a password for its user postgres.
	Address string
	bin     string
	dir     string
	as      *syscall.SysProcAttr
}

// StartPostgres makes a new cluster in a folder of the test and runs it on a
// free port. It loses everything in a crash of the machine, for speed; in one
// of its own it loses nothing.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	p := &Postgres{Address: FreeAddress(t), bin: postgresBin(t)}
	p.dir, p.as = postgresHome(t)
	initdb := exec.Command(filepath.Join(p.bin, "initdb"), "-D", p.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = p.as, "/"
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	p.Restart(t)
	return p
}

// Restart runs it again on the same address, after it was stopped.
func (p *Postgres) Restart(t testing.TB) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.dir, "-p", Port(p.Address), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	cmd.SysProcAttr, cmd.Dir = p.as, "/"
	p.Process = Start(t, "postgres", cmd, p.ready)
	t.Cleanup(func() { p.StopNow(t) })
}

// StopNow ends it at once, and with it every connection (a fast shutdown).
func (p *Postgres) StopNow(t testing.TB) {
	t.Helper()
	if !p.Exited() {
		p.Signal(t, syscall.SIGINT)
	}
	p.Wait(t)
}

// Crash ends it without a word to its clients, as the loss of its machine does.
func (p *Postgres) Crash(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGQUIT)
	p.Wait(t)
}

// FailOver runs a copy on the same address, after it has crashed: what a
// stand-by has that was written to synchronously.
func (p *Postgres) FailOver(t testing.TB) {
	t.Helper()
	stale, standby := filepath.Join(p.dir, "postmaster.pid"), p.dir+"-standby"
	if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// #nosec G204 -- the test's own folders; it keeps the owner, whom PostgreSQL looks at
	if output, err := exec.CommandContext(t.Context(), "cp", "-a", p.dir, standby).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, output)
	}
	p.dir = standby
	p.Restart(t)
}

func (p *Postgres) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN("postgres", p.Address))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// DSN names a database, by way of an address: its own or that of a proxy.
func (*Postgres) DSN(database, address string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", address, database)
}

// Database makes an empty database and returns its name.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN("postgres", p.Address))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	name := "t" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" STRATEGY file_copy"); err != nil {
		t.Fatal(err)
	}
	return name
}

// postgresBin is the folder of the newest PostgreSQL: $POSTGRES_BIN, or where
// Debian has it.
func postgresBin(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return dir
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		Missing(t, "PostgreSQL is not installed: `make postgres` gets it, or name the folder of its programs in $POSTGRES_BIN")
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// postgresHome is a new folder that belongs to the user postgres where the
// test runs as root, as whom PostgreSQL refuses to run. The test's own folder
// can't be entered by another user.
func postgresHome(t testing.TB) (string, *syscall.SysProcAttr) {
	t.Helper()
	if os.Getuid() != 0 {
		return filepath.Join(t.TempDir(), "cluster"), nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		Missing(t, "PostgreSQL does not run as root, and there is no user postgres: `make postgres` makes one")
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "postern-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system clears what is left
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return filepath.Join(dir, "cluster"), as
}
