package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/postern-authz/postern/bench/load"
)

// patience bounds how long a server may take to be ready, or to stop.
const patience = 30 * time.Second

// addresses are where a server listens.
type addresses struct{ grpc, http, admin string }

// server is a child process under measurement.
type server struct {
	addresses
	name    string
	process *exec.Cmd
	log     string
	ended   chan error
	// exit is how it ended; a process that was stopped says so there.
	exit   error
	meter  *load.Meter
	checks *load.GRPC
	doors  *load.HTTP
}

// trio is Postern, the floor beneath it, and the floor with the garbage
// collector set as Postern sets its own.
type trio struct{ postern, noop, tuned *server }

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module (run it from the source tree): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// startServers builds both programs into dir and starts them.
func startServers(ctx context.Context, root, dir string) (*trio, error) {
	for _, pkg := range []string{"./cmd/postern", "./bench/noop"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, filepath.Base(pkg)), pkg)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", pkg, err, out)
		}
	}
	p := &trio{}
	if err := p.start(ctx, root, dir); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *trio) start(ctx context.Context, root, dir string) (err error) {
	if p.noop, err = startNoop(ctx, dir); err != nil {
		return err
	}
	if p.tuned, err = startNoop(ctx, dir, "GOGC=400"); err != nil {
		return err
	}
	at, err := freeAddresses()
	if err != nil {
		return err
	}
	config, err := writeConfig(filepath.Join(root, "deploy", "example"), filepath.Join(dir, "config"), at)
	if err != nil {
		return err
	}
	p.postern, err = start(ctx, dir, "postern", at, nil, "serve", "--config", config)
	return err
}

func startNoop(ctx context.Context, dir string, env ...string) (*server, error) {
	at, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	return start(ctx, dir, "noop", at, env, "-grpc", at.grpc, "-http", at.http, "-admin", at.admin)
}

// freeAddresses finds three ports that were free a moment ago.
func freeAddresses() (a addresses, err error) {
	var held []net.Listener // until all three are found, so that they differ
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, at := range []*string{&a.grpc, &a.http, &a.admin} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return a, err
		}
		held = append(held, l)
		*at = l.Addr().String()
	}
	return a, nil
}

// start runs one of the built programs, waits until it is ready and connects.
func start(ctx context.Context, dir, name string, at addresses, env []string, args ...string) (*server, error) {
	s := &server{addresses: at, name: name, log: filepath.Join(dir, name+".log"), ended: make(chan error, 1)}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	s.process = exec.Command(filepath.Join(dir, name), args...)
	s.process.Dir, s.process.Env = dir, append(plainEnvironment(), env...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.process.Wait() }()
	if err := s.connect(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, s.lastWords())
	}
	return s, nil
}

// plainEnvironment leaves the settings of Go's runtime to the programs.
func plainEnvironment() []string {
	var env []string
	for _, e := range os.Environ() {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG":
		default:
			env = append(env, e)
		}
	}
	return env
}

func (s *server) connect(ctx context.Context) (err error) {
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	s.meter = &load.Meter{PID: s.process.Process.Pid, Metrics: "http://" + s.admin + "/metrics"}
	if err := s.meter.Calibrate(ctx); err != nil {
		return err
	}
	s.doors = load.DialHTTP("http://" + s.http + "/forward-auth/nginx")
	s.checks, err = load.DialGRPC(s.grpc)
	return err
}

// awaitReady polls /readyz until it answers 200.
func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case err := <-s.ended:
			s.ended <- err
			return errors.Join(errors.New("it ended before it was ready"), err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-every.C:
			if isReady(ctx, "http://"+s.admin+"/readyz") {
				return nil
			}
		}
	}
}

func isReady(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop asks the process to end, and ends it when it doesn't.
func (s *server) stop() {
	if s == nil {
		return
	}
	if s.checks != nil {
		_ = s.checks.Close()
	}
	if s.doors != nil {
		s.doors.Close()
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case s.exit = <-s.ended:
	case <-time.After(patience):
		_ = s.process.Process.Kill()
		s.exit = <-s.ended
	}
}

func (p *trio) stop() {
	p.postern.stop()
	p.tuned.stop()
	p.noop.stop()
}

// lastWords is the end of a server's log.
func (s *server) lastWords() string {
	const enough = 4 << 10
	log, err := os.ReadFile(s.log)
	if err != nil {
		return ""
	}
	return s.name + " said:\n" + string(log[max(0, len(log)-enough):])
}

func (p *trio) lastWords() string { return p.postern.lastWords() }
