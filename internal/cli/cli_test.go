package cli_test

import (
	"context"
	databasesql "database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-authz/postern/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               copyExample,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":    ready,
			"exitcode": exitcode,
			"capture":  capture,
			"door":     door,
			"sql":      sql,
			"relay":    relay,
		},
	})
}

// copyExample gives every script the example of deploy/example.
func copyExample(env *testscript.Env) error {
	return os.CopyFS(filepath.Join(env.WorkDir, "example"), os.DirFS("../../deploy/example"))
}

// exitcode WANT ARGS… runs postern and compares its exit code, which the words
// "!" and "exec" alone can't tell. What it printed can be looked at afterwards.
func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	var failed *exec.ExitError
	switch err := ts.Exec("postern", args[1:]...); {
	case errors.As(err, &failed):
		got = failed.ExitCode()
	case err != nil:
		ts.Fatalf("postern did not run: %v", err)
	}
	if args[0] != strconv.Itoa(got) {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// capture NAME keeps what the last command printed in a variable.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// sql FILE STATEMENT changes a store behind Postern's back.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	db, err := databasesql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = db.Close() }() // what it did shows
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// ready SOCKET waits until the instance with that admin socket says so.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, args[0], "200", func() (*http.Request, error) { return http.NewRequest(http.MethodGet, "http://postern/readyz", nil) })
}

// door STATUS SOCKET KEY waits until the forward-auth door at the socket answers
// a request with that key so.
func door(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, args[1], args[0], func() (*http.Request, error) {
		req, err := http.NewRequest(http.MethodGet, "http://postern/forward-auth/nginx", nil)
		if err == nil {
			req.Header = http.Header{"X-Original-Uri": {"/"}, "X-Original-Method": {"GET"}, "X-Api-Key": {args[2]}}
		}
		return req, err
	})
}

// poll asks until the status is the wanted one.
func poll(ts *testscript.TestScript, socket, status string, ask func() (*http.Request, error)) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", ts.MkAbs(socket))
		},
	}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	last := "nothing"
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		req, err := ask()
		ts.Check(err)
		res, err := client.Do(req)
		if err != nil {
			last = err.Error()
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if strconv.Itoa(res.StatusCode) == status {
			return
		}
		last = res.Status + " " + string(body)
	}
	ts.Fatalf("%s never answered %s: %s", socket, status, last)
}
