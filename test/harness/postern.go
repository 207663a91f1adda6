package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// binaryVariable names the program under test.
const binaryVariable = "POSTERN_BINARY"

// Main builds the postern program, unless $POSTERN_BINARY names one, runs the
// tests, and fails them when they leave a goroutine behind. It returns what to
// exit with.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "postern-test-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears what is left
	if err := build(filepath.Join(dir, "postern")); err != nil {
		return failed(err)
	}
	if code := m.Run(); code != 0 {
		return code
	}
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func build(path string) error {
	if os.Getenv(binaryVariable) != "" {
		return nil
	}
	// #nosec G204 -- the program under test
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/postern-authz/postern/cmd/postern")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/postern: %w\n%s", err, output)
	}
	return os.Setenv(binaryVariable, path)
}

// Binary is the path of the program that Main built.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		t.Fatalf("$%s is empty: this package's TestMain doesn't call harness.Main", binaryVariable)
	}
	return path
}

// Postern is a running Postern.
type Postern struct {
	*Process
	// Dir is the folder with postern.yaml.
	Dir string
	// GRPC, HTTP and Admin are its listeners' addresses.
	GRPC, HTTP, Admin string
}

// StartPostern runs the program on the configuration in dir, on free ports, and
// returns once it is ready.
func StartPostern(t testing.TB, dir string) *Postern {
	t.Helper()
	p := newPostern(t, dir)
	p.Restart(t)
	return p
}

// StartUnready is StartPostern for a program that lacks something that it needs
// to be ready: it returns once it runs.
func StartUnready(t testing.TB, dir string) *Postern {
	t.Helper()
	p := newPostern(t, dir)
	p.run(t, "/healthz")
	return p
}

func newPostern(t testing.TB, dir string) *Postern {
	t.Helper()
	return &Postern{Dir: dir, GRPC: FreeAddress(t), HTTP: FreeAddress(t), Admin: FreeAddress(t)}
}

// Restart runs the program again on the same addresses, after it was stopped.
func (p *Postern) Restart(t testing.TB) {
	t.Helper()
	p.run(t, "/readyz")
}

// run returns once the page of the admin listener answers 200.
func (p *Postern) run(t testing.TB, page string) {
	t.Helper()
	// #nosec G204 -- the program under test
	cmd := exec.Command(Binary(t), "serve", "--config", filepath.Join(p.Dir, "postern.yaml"),
		"--grpc", p.GRPC, "--http", p.HTTP, "--admin", p.Admin)
	process := Start(t, "postern", cmd, func() error { return answers("http://"+p.Admin+page, 200) })
	p.Process = process
	t.Cleanup(func() { stopNow(t, process) })
}

// StopNow ends the program without the time that it takes to drain.
func (p *Postern) StopNow(t testing.TB) {
	t.Helper()
	stopNow(t, p.Process)
}

// stopNow signals until the program has ended: the second signal that it hears
// ends the drain that the first began.
func stopNow(t testing.TB, p *Process) {
	t.Helper()
	WaitFor(t, p.name+" to end", func() error {
		if p.Exited() {
			return nil
		}
		p.Signal(t, syscall.SIGTERM)
		return errors.New("it still runs")
	})
}
