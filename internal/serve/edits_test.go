package serve_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/grpc/credentials/insecure"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// numberedRules are a thousand rules whose answers tell the number of their edit.
func numberedRules(number int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "package postern.authz\n\nimport rego.v1\n\nallow := {\"allowed\": true, \"headers\": {\"x-edit\": \"%d\"}} if granted\n\n", number)
	for i := range 1000 {
		fmt.Fprintf(&text, "granted if {\n\tinput.attributes.request.http.method == \"GET\"\n\t\"role-%d\" in input.identity.roles\n}\n\n", i)
	}
	text.WriteString("granted if \"reader\" in input.identity.roles\n")
	return text.String()
}

func editOf(answer *authv3.CheckResponse) string {
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if h.GetHeader().GetKey() == "x-edit" {
			return h.GetHeader().GetValue()
		}
	}
	return ""
}

// An edit of a thousand rules decides soon after it is saved, while requests go
// on: every one of them is answered by an edit that was saved. How soon is
// measured by bench; here stands what no machine is too slow for.
func TestAnEditUnderTrafficIsLive(t *testing.T) {
	h := start(t, func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "policies", "authz.rego"), []byte(numberedRules(0)), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	path := filepath.Join(h.dir, "policies", "authz.rego")
	conn := dial(t, h.at.GRPC.String(), insecure.NewCredentials())
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond):
				}
				if editOf(checkOrder(t, conn)) == "" {
					t.Error("an answer by no edit")
					return
				}
			}
		})
	}
	saves := []func(text string) error{
		func(text string) error { return os.WriteFile(path, []byte(text), 0o600) },
		func(text string) error {
			if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	}
	var took []time.Duration
	for number := 1; number <= 8; number++ {
		if err := saves[number%2](numberedRules(number)); err != nil {
			t.Fatal(err)
		}
		saved := time.Now()
		until(t, "the edit decides", func() bool { return editOf(checkOrder(t, conn)) == fmt.Sprint(number) })
		took = append(took, time.Since(saved))
	}
	close(done)
	asking.Wait()
	slices.Sort(took)
	t.Logf("from the shortest to the longest: %v", took)
	if median := took[len(took)/2]; median > 5*time.Second {
		t.Errorf("half of the edits took %v and more", median)
	}
}

type unheard struct{}

func (unheard) Record(*access.Request, *access.Verdict, time.Duration) {}

// gateReloads is how often rules are replaced under traffic.
const gateReloads = 1000

// A thousand reloads while the gate is asked: each verdict names one revision,
// and is what that revision's policy says.
func TestEachVerdictIsOfTheRevisionThatItNames(t *testing.T) {
	remembered, err := cache.New(cache.Options[access.Decision]{MaxMemory: 8 << 20, TTL: time.Minute, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remembered.Close)
	var ids atomic.Int64
	g := gate.New(unheard{}, time.Now, func() string { return fmt.Sprint(ids.Add(1)) })
	g.Swap(numberedGate(t, 0, remembered))
	done := make(chan struct{})
	var asking sync.WaitGroup
	seen := make([]map[string]bool, 4)
	for i := range seen {
		seen[i] = map[string]bool{}
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v := g.Check(context.Background(), &access.Request{
					Door: access.GRPC, Time: time.Now(), Method: "GET", Host: "api.example.com", RawHost: "api.example.com", Path: "/a", RawPath: "/a",
				})
				if here, there := fmt.Sprint(v.Metadata["here"]), fmt.Sprint(v.Metadata["data"]); v.Outcome() != access.Allowed || here != v.Revision || there != v.Revision {
					t.Errorf("%v of revision %s says %s and %s: %+v", v.Outcome(), v.Revision, here, there, v.Reason)
					return
				}
				seen[i][v.Revision] = true
			}
		})
	}
	for number := 1; number <= gateReloads; number++ {
		g.Swap(numberedGate(t, number, remembered))
	}
	close(done)
	asking.Wait()
	if len(seen[0]) < 2 {
		t.Error("all was asked of one revision: this proves nothing")
	}
}

func numberedGate(t *testing.T, number int, remembered *cache.Cache[access.Decision]) *gate.Rules {
	t.Helper()
	const entrypoint = "postern/authz/allow"
	p, err := policy.Compile(context.Background(), policy.Options{
		Embedded: fstest.MapFS{
			"authz.rego": {Data: fmt.Appendf(nil, "package postern.authz\n\nimport rego.v1\n\nallow := {\"allowed\": input.route.path == \"/a\", \"dynamic_metadata\": {\"here\": %d, \"data\": data.number}}\n", number)},
			"data.json":  {Data: fmt.Appendf(nil, `{"number": %d}`, number)},
		},
		Entrypoints: []string{entrypoint}, Timeout: time.Minute, Memory: remembered,
	})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := gate.NewRules(gate.Config{
		Revision: fmt.Sprint(number), Policy: p, Default: gate.Route{Anonymous: true, Entrypoint: entrypoint},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
