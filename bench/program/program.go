// Package program builds and runs the programs under measurement.
package program

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

// Patience bounds how long a program may take to be ready, or to stop.
const Patience = 30 * time.Second

// readyEvery is how often a program is asked whether it is ready: the least step
// of the time that its start took.
const readyEvery = 5 * time.Millisecond

// Addresses are where a program listens.
type Addresses struct{ GRPC, HTTP, Admin string }

// Program is a child process under measurement.
type Program struct {
	Addresses
	// Start is how long it took from its start until it was ready.
	Start time.Duration
	// Exit is how it ended; a process that was stopped says so there.
	Exit   error
	Meter  *load.Meter
	Checks *load.GRPC
	Doors  *load.HTTP

	name, log string
	process   *exec.Cmd
	ended     chan error
}

// ModuleRoot is the folder of the source tree.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module (run it from the source tree): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Build builds Postern and the no-op server into a folder.
func Build(ctx context.Context, root, dir string) error {
	for _, pkg := range []string{"./cmd/postern", "./bench/noop"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, filepath.Base(pkg)), pkg)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}

// StartNoop starts the no-op server that was built into dir.
func StartNoop(ctx context.Context, dir string, env ...string) (*Program, error) {
	at, err := FreeAddresses()
	if err != nil {
		return nil, err
	}
	return Start(ctx, dir, "noop", at, env, "-grpc", at.GRPC, "-http", at.HTTP, "-admin", at.Admin)
}

// FreeAddresses finds three ports that were free a moment ago.
func FreeAddresses() (a Addresses, err error) {
	var held []net.Listener // until all three are found, so that they differ
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, at := range []*string{&a.GRPC, &a.HTTP, &a.Admin} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return a, err
		}
		held = append(held, l)
		*at = l.Addr().String()
	}
	return a, nil
}

// Start runs one of the built programs, waits until it is ready and connects.
func Start(ctx context.Context, dir, name string, at Addresses, env []string, args ...string) (*Program, error) {
	p := &Program{Addresses: at, name: name, log: filepath.Join(dir, name+".log"), ended: make(chan error, 1)}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	p.process = exec.Command(filepath.Join(dir, name), args...)
	p.process.Dir, p.process.Env = dir, append(plainEnvironment(), env...)
	p.process.Stdout, p.process.Stderr = log, log
	begin := time.Now()
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.process.Wait() }()
	if err := p.connect(ctx, begin); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, p.LastWords())
	}
	return p, nil
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

func (p *Program) connect(ctx context.Context, begin time.Time) (err error) {
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	p.Start = time.Since(begin)
	p.Meter = &load.Meter{PID: p.process.Process.Pid, Metrics: "http://" + p.Admin + "/metrics"}
	if err := p.Meter.Calibrate(ctx); err != nil {
		return err
	}
	p.Doors = load.DialHTTP("http://" + p.HTTP + "/forward-auth/nginx")
	p.Checks, err = load.DialGRPC(p.GRPC)
	return err
}

// awaitReady polls /readyz until it answers 200.
func (p *Program) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	every := time.NewTicker(readyEvery)
	defer every.Stop()
	for {
		select {
		case err := <-p.ended:
			p.ended <- err
			return errors.Join(errors.New("it ended before it was ready"), err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-every.C:
			if isReady(ctx, "http://"+p.Admin+"/readyz") {
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

// Stop asks the process to end, and ends it when it doesn't.
func (p *Program) Stop() {
	if p == nil {
		return
	}
	if p.Checks != nil {
		_ = p.Checks.Close()
	}
	if p.Doors != nil {
		p.Doors.Close()
	}
	_ = p.process.Process.Signal(syscall.SIGTERM)
	select {
	case p.Exit = <-p.ended:
	case <-time.After(Patience):
		_ = p.process.Process.Kill()
		p.Exit = <-p.ended
	}
}

// LastWords is the end of a server's log.
func (p *Program) LastWords() string {
	const enough = 4 << 10
	log, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return p.name + " said:\n" + string(log[max(0, len(log)-enough):])
}
