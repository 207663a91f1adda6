package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/bench/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var question = load.Question{Method: "GET", Path: "/orders/42", Header: "x-api-key", Value: "key"}

// The whole of a measurement, with the no-op server in this very process.
func TestLoadMeetsNoop(t *testing.T) {
	grpcAt, httpAt, adminAt := startNoop(t)
	ctx := context.Background()
	meter := &load.Meter{PID: os.Getpid(), Metrics: "http://" + adminAt + "/metrics"}
	if err := meter.Calibrate(ctx); err != nil {
		t.Fatal(err)
	}
	checks, err := load.DialGRPC(grpcAt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = checks.Close() }()
	doors := load.DialHTTP("http://" + httpAt + "/forward-auth/nginx")
	defer doors.Close()

	const n = 500
	for name, work := range map[string]func() error{
		"grpc": func() error { return checks.Ask(ctx, n, question.Check, load.Allowed(header, value)) },
		"http": func() error { return doors.Ask(ctx, n, question.Forward, header, value) },
	} {
		spent, err := meter.Measure(ctx, work)
		if err != nil || spent.Allocations < n {
			t.Errorf("%s: %+v, %v", name, spent, err)
		}
	}
}

func TestOnlyRightAnswersCount(t *testing.T) {
	grpcAt, httpAt, adminAt := startNoop(t)
	checks, err := load.DialGRPC(grpcAt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = checks.Close() }()
	doors := load.DialHTTP("http://" + httpAt)
	defer doors.Close()
	lost := load.DialHTTP("http://" + adminAt + "/nowhere")
	defer lost.Close()
	ctx := context.Background()
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"another header":      {checks.Ask(ctx, 100, question.Check, load.Allowed("x-other", value)), "without the header"},
		"another value":       {checks.Ask(ctx, 100, question.Check, load.Allowed(header, "no")), "without the header"},
		"an allow":            {checks.Ask(ctx, 100, question.Check, load.Denied(http.StatusForbidden)), "want a denial"},
		"another http header": {doors.Ask(ctx, 100, question.Forward, "x-other", value), "without the header"},
		"another status":      {lost.Ask(ctx, 100, question.Forward, header, value), "want 200"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
}

// startNoop runs the servers on free ports until the test ends.
func startNoop(t *testing.T) (grpcAt, httpAt, adminAt string) {
	t.Helper()
	var at [3]string
	for i := range at {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at[i] = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, at[0], at[1], at[2]) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	if err := awaitReady("http://"+at[2]+"/readyz", ended); err != nil {
		t.Fatal(err)
	}
	return at[0], at[1], at[2]
}

func awaitReady(url string, ended <-chan error) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if res, err := http.Get(url); err == nil {
			return res.Body.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("not ready")
}
