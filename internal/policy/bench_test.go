package policy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/policy"
)

func memory(t testing.TB) *cache.Cache[access.Decision] {
	t.Helper()
	c, err := cache.New(cache.Options[access.Decision]{MaxMemory: 8 << 20, TTL: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name       string
		entrypoint string
		remember   bool
	}{
		{"authz/evaluated", entrypoint, false},
		{"authz/remembered", entrypoint, true},
		{"envoy/evaluated", "envoy/authz/allow", false},
		{"envoy/remembered", "envoy/authz/allow", true},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := policy.Options{Directory: example, Entrypoints: []string{c.entrypoint}, Timeout: time.Minute}
			if c.remember {
				o.Memory = memory(b)
			}
			s, err := policy.Compile(context.Background(), o)
			if err != nil {
				b.Fatal(err)
			}
			q := question()
			q.Entrypoint = c.entrypoint
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Decide(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLibrary is the embedded library, evaluated for each question.
func BenchmarkLibrary(b *testing.B) {
	s := embedded(b, libraryFiles())
	q := question()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decide(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile is a reload of a thousand rules.
func BenchmarkCompile(b *testing.B) {
	texts := module(manyRules(1000))
	for b.Loop() {
		embedded(b, texts)
	}
}

// BenchmarkReload is a reload after a change of a small file beside a million
// role bindings, and one after a change of those.
func BenchmarkReload(b *testing.B) {
	for _, c := range []struct{ name, file string }{{"small file", "wanted.json"}, {"a million bindings", "bindings.json"}} {
		b.Run(c.name, func(b *testing.B) {
			l := largePolicy(b, 1_000_000)
			last := l.load(b, nil)
			text, err := os.ReadFile(filepath.Join(l.dir, c.file))
			if err != nil {
				b.Fatal(err)
			}
			// The files are as old as files mostly are.
			for _, name := range []string{"wanted.json", "bindings.json"} {
				old := time.Now().Add(-time.Hour)
				if err := os.Chtimes(filepath.Join(l.dir, name), old, old); err != nil {
					b.Fatal(err)
				}
			}
			last = l.load(b, last)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				text = append(text, '\n')
				l.write(b, c.file, string(text))
				b.StartTimer()
				last = l.load(b, last)
			}
		})
	}
}

// manyRules are rules of method, path, role and scope, of which the last holds.
func manyRules(n int) string {
	var text strings.Builder
	text.WriteString("default allow := false\n")
	for i := range n {
		fmt.Fprintf(&text, "allow if {\n\tinput.attributes.request.http.method == \"GET\"\n\tinput.parsed_path[0] == \"orders\"\n\t\"role-%d\" in input.identity.roles\n}\n", i)
	}
	text.WriteString("allow if \"reader\" in input.identity.roles\n")
	return text.String()
}

// BenchmarkGoroutines is the same evaluation on a goroutine that has done it
// before, and on a new one for each, whose stack must grow.
func BenchmarkGoroutines(b *testing.B) {
	s := rules(b, manyRules(20))
	ask := func() {
		if _, err := s.Decide(context.Background(), question()); err != nil {
			b.Error(err)
		}
	}
	b.Run("warm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ask()
		}
	})
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		done := make(chan struct{})
		for b.Loop() {
			go func() { ask(); done <- struct{}{} }()
			<-done
		}
	})
	b.Run("handed over", func(b *testing.B) {
		b.ReportAllocs()
		work, done := make(chan func()), make(chan struct{})
		go func() {
			for f := range work {
				f()
				done <- struct{}{}
			}
		}()
		for b.Loop() {
			work <- ask
			<-done
		}
		close(work)
	})
}
