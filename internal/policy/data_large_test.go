package policy_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// bindings is how many role bindings the large file holds: a million in the
// whole proof.
func bindings() int {
	switch {
	case *proofInputs >= 1_000_000:
		return 1_000_000
	case raceEnabled || testing.Short():
		return 20_000
	}
	return 100_000
}

// bound allows whom the large file gives the role of the small one.
const bound = `package postern.authz

import rego.v1

default allow := false

allow if data.wanted.role in data.bindings[input.consumer.name].roles
`

// writeBindings writes role bindings, of which the consumer mobile has reader.
func writeBindings(t testing.TB, path string, n int, tenant string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	_, _ = w.WriteString(`{"mobile": {"roles": ["reader"], "tenant": "` + tenant + `"}`)
	for i := range n {
		_, _ = fmt.Fprintf(w, ",\n\"user-%07d\": {\"roles\": [\"role-%d\", \"reader\"], \"tenant\": \"tenant-%d\"}", i, i%20, i%1000)
	}
	_, _ = w.WriteString("}\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// large is a policy over a large file of data and a small one.
type large struct {
	dir     string
	options policy.Options
}

func largePolicy(t testing.TB, n int) *large {
	t.Helper()
	l := &large{dir: t.TempDir()}
	l.write(t, "policy/authz.rego", bound)
	l.write(t, "wanted.json", `{"role": "reader"}`)
	writeBindings(t, filepath.Join(l.dir, "bindings.json"), n, "acme")
	l.options = policy.Options{
		Directory: filepath.Join(l.dir, "policy"), Entrypoints: []string{entrypoint}, Timeout: time.Minute,
		Data: []policy.DataFiles{
			{Pattern: filepath.Join(l.dir, "bindings.json"), At: []string{"bindings"}},
			{Pattern: filepath.Join(l.dir, "wanted.json"), At: []string{"wanted"}},
		},
	}
	return l
}

func (l *large) write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load compiles what is there now, after what was.
func (l *large) load(t testing.TB, last *policy.Snapshot) *policy.Snapshot {
	t.Helper()
	o := l.options
	o.Last = last
	s, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allocated is how many bytes a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// live is how many bytes of the heap are in use.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peak is the most of the heap that is in use while a function runs.
func peak(f func()) uint64 {
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-ended
	return most.Load()
}

// A change of a small file beside a large one costs about what the small one
// does; a change of the large one takes no more than it twice.
func TestProofOfLargeData(t *testing.T) {
	n := bindings()
	l := largePolicy(t, n)
	empty := live()
	var first, second, third *policy.Snapshot
	began := time.Now()
	initial := allocated(func() { first = l.load(t, nil) })
	took := time.Since(began)
	size := live() - empty
	if !decide(t, first, question()).Allowed {
		t.Fatal("mobile is not allowed though it is bound")
	}

	l.write(t, "wanted.json", `{"role": "writer"}`)
	began = time.Now()
	again := allocated(func() { second = l.load(t, first) })
	tookAgain := time.Since(began)
	if decide(t, second, question()).Allowed {
		t.Error("mobile is allowed by the old data")
	}
	if second.Compiler() != first.Compiler() {
		t.Error("new data compiled the rules anew")
	}
	if second.Revision() == first.Revision() {
		t.Error("new data has the old revision")
	}
	if again > 256<<10 || again*20 > initial {
		t.Errorf("the small file's reload allocated %d bytes, the first load %d", again, initial)
	}

	first = nil
	writeBindings(t, filepath.Join(l.dir, "bindings.json"), n, "umbrella")
	began = time.Now()
	most := peak(func() { third = l.load(t, second) }) - empty
	tookLarge := time.Since(began)
	t.Logf("%d bindings: first load %v, %d MB allocated, %d MB live; small reload %v, %d KB allocated; large reload %v, peak %d MB",
		n, took, initial>>20, size>>20, tookAgain, again>>10, tookLarge, most>>20)
	// What the collector has not come to yet is worth something where there is little.
	if float64(most) > 2.6*float64(size)+16<<20 {
		t.Errorf("the large file's reload took %d bytes at most, with %d live", most, size)
	}
	if third.Revision() == second.Revision() {
		t.Error("the large file's change was not seen")
	}
	runtime.KeepAlive(second)
}
