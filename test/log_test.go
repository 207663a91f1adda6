package test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// logged is a Postern whose log goes into a pipe.
type logged struct {
	dir, http string
	cmd       *exec.Cmd
	reader    *os.File
	client    *harness.Client
}

// startLogged runs the program with its log in a pipe that nobody reads.
func startLogged(t *testing.T) *logged {
	t.Helper()
	l := &logged{dir: harness.Example(t), http: harness.FreeAddress(t)}
	harness.Edit(t, filepath.Join(l.dir, "postern.yaml"), "not_ready: 5s", "not_ready: 0s")
	admin := harness.FreeAddress(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.reader = reader
	t.Cleanup(func() { _ = reader.Close() })
	// #nosec G204 -- the program under test
	l.cmd = exec.Command(harness.Binary(t), "serve", "--config", filepath.Join(l.dir, "postern.yaml"),
		"--grpc", harness.FreeAddress(t), "--http", l.http, "--admin", admin)
	l.cmd.Stderr = writer
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close() // the program has its own
	t.Cleanup(func() {
		_ = l.cmd.Process.Kill() // it has ended, but where the test failed
		_ = l.cmd.Wait()
	})
	l.client = harness.NewClient(t, "http://"+l.http)
	ready := harness.NewClient(t, "http://"+admin)
	harness.WaitFor(t, "postern to be ready", func() error {
		answer, err := ready.Do(t.Context(), harness.Request{Target: "/readyz"})
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("%d", answer.Status)
		}
		return err
	})
	return l
}

// ask is an order with the mobile app's key, or without any.
func (l *logged) ask(t *testing.T, key string) (int, error) {
	t.Helper()
	header := http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/orders/7"}, "X-Forwarded-Host": {"api.example.com"}}
	if key != "" {
		header.Set("X-API-Key", key)
	}
	answer, err := l.client.Do(t.Context(), harness.Request{Target: "/forward-auth/traefik", Header: header})
	if err != nil {
		return 0, err
	}
	return answer.Status, nil
}

const mobileKey = "demo-mobile-key-0123456789abcdefghijklmnopqrstuv"

// TestLogThatNobodyReads: a full pipe holds up neither requests, nor the reload
// that takes a consumer away, nor the end.
func TestLogThatNobodyReads(t *testing.T) {
	l := startLogged(t)
	for range 1000 { // each has a line of some 300 bytes; a pipe holds 64 KiB
		if status, err := l.ask(t, ""); err != nil || status != http.StatusUnauthorized {
			t.Fatalf("a denial: %d, %v", status, err)
		}
	}
	if status, err := l.ask(t, mobileKey); err != nil || status != http.StatusOK {
		t.Fatalf("before: %d, %v", status, err)
	}
	harness.Edit(t, filepath.Join(l.dir, "consumers", "demo.yaml"), "    display_name: Mobile App", "    enabled: false")
	harness.WaitFor(t, "the disabled consumer to be refused", func() error {
		status, err := l.ask(t, mobileKey)
		if err == nil && status != http.StatusUnauthorized {
			err = fmt.Errorf("%d", status)
		}
		return err
	})
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestLogWhoseReaderDies: the log is lost, and nothing else.
func TestLogWhoseReaderDies(t *testing.T) {
	l := startLogged(t)
	if err := l.reader.Close(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if status, err := l.ask(t, ""); err != nil || status != http.StatusUnauthorized {
			t.Fatalf("a denial: %d, %v", status, err)
		}
	}
	if status, err := l.ask(t, mobileKey); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v", status, err)
	}
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
