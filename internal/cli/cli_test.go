package cli_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
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
		},
	})
}

// copyExample gives every script the example of deploy/example.
func copyExample(env *testscript.Env) error {
	return os.CopyFS(filepath.Join(env.WorkDir, "example"), os.DirFS("../../deploy/example"))
}

// exitcode WANT ARGS… runs postern and compares its exit code, which the words
// "!" and "exec" alone can't tell.
func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	var out, errs bytes.Buffer
	got := cli.Run(context.Background(), args[1:], strings.NewReader(""), &out, &errs)
	if want := args[0]; want != string(rune('0'+got)) {
		ts.Fatalf("exit code %d, want %s\n%s%s", got, want, &out, &errs)
	}
}

// ready SOCKET waits until the instance with that admin socket says so.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	socket := ts.MkAbs(args[0])
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	last := "nothing"
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := client.Get("http://postern/readyz")
		if err != nil {
			last = err.Error()
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
		last = res.Status + " " + string(body)
	}
	ts.Fatalf("not ready: %s", last)
}
