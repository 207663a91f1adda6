package serve_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/serve"
)

// depot serves a bundle.
type depot struct {
	*httptest.Server
	mu     sync.Mutex
	body   []byte
	broken bool
	served map[string]bool
}

func newDepot(t *testing.T, body []byte) *depot {
	t.Helper()
	d := &depot{body: body, served: map[string]bool{}}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	etag := `"` + digestOf(d.body) + `"`
	w.Header().Set("ETag", etag)
	d.served[digestOf(d.body)] = true
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(d.body)
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func (d *depot) put(body []byte, broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.body, d.broken = body, broken
}

func (d *depot) asked(body []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.served[digestOf(body)]
}

// packed is a bundle of the example's policy.
func packed(t *testing.T, revision, rule string, change ...func(*bundle.Bundle)) []byte {
	t.Helper()
	b := bundle.Bundle{Data: map[string]any{"postern": map[string]any{"known": []any{revision}}}}
	b.Manifest.Init()
	b.Manifest.Revision, b.Manifest.Roots = revision, &[]string{"postern", "envoy"}
	b.Modules = []bundle.ModuleFile{{URL: "/authz.rego", Path: "/authz.rego", Raw: []byte("package postern.authz\n\ndefault allow := false\n\n" + rule + "\n")},
		{URL: "/envoy.rego", Path: "/envoy.rego", Raw: []byte("package envoy.authz\n\ndefault allow := false\n")}}
	for _, c := range change {
		c(&b)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	lets  = `allow if "reader" in input.identity.roles`
	stops = `allow if "nobody" in input.identity.roles`
)

// bundled has the example take its policy from a depot.
func bundled(url, more string) func(dir string) {
	return func(dir string) {
		path := filepath.Join(dir, "postern.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		lines := []string{}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "  directory: policies") {
				line = "  state_directory: state\n  bundles:\n    - {name: main, url: \"" + url + "/main.tar.gz\", every: 100ms, max_size: 1MiB" + more + "}\n"
			}
			lines = append(lines, line)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			panic(err)
		}
	}
}

func TestPolicyComesFromABundle(t *testing.T) {
	d := newDepot(t, packed(t, "one", lets))
	d.put(nil, true)
	var folder string
	h := start(t, func(dir string) { folder = dir; bundled(d.URL, "")(dir) })
	until(t, "the reason shows", func() bool {
		_, report := h.ready(t)
		return len(report.Bundles) == 1 && strings.Contains(report.Bundles[0].Error, "502")
	})
	if status, report := h.ready(t); status != 503 || report.Ready || !strings.Contains(report.ReloadError, "main") {
		t.Errorf("ready without a policy: %d %+v", status, report)
	}
	if status, code := h.ask(t); status != 503 || code != "fault" {
		t.Errorf("without a policy: %d %s", status, code)
	}

	d.put(packed(t, "one", lets), false)
	until(t, "the bundle is in force", func() bool { status, _ := h.ask(t); return status == 200 })
	if status, report := h.ready(t); status != 200 || report.Bundles[0].Revision != "one" || report.Bundles[0].Error != "" || report.ReloadError != "" {
		t.Errorf("%d %+v", status, report)
	}
	d.put(packed(t, "two", stops), false)
	until(t, "the next is in force", func() bool { _, code := h.ask(t); return code == "denied_by_policy" })

	d.put(packed(t, "three", "allow if http.send({})"), false)
	until(t, "what can't be compiled shows", func() bool {
		_, report := h.ready(t)
		return strings.Contains(report.ReloadError, "http.send") && strings.Contains(report.Bundles[0].Error, "http.send")
	})
	if status, report := h.ready(t); status != 200 || report.Bundles[0].Revision != "two" {
		t.Errorf("%d %+v", status, report)
	}
	d.put(packed(t, "four", lets), false)
	until(t, "it is mended", func() bool { status, _ := h.ask(t); return status == 200 })
	metrics := fetch(t, h, "/metrics")
	for _, want := range []string{`postern_bundle_activations_total{bundle="main"`, `postern_bundle_failures_total{bundle="main"`, `postern_bundle_success_time{bundle="main"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	var kept []string
	until(t, "it is kept", func() bool {
		kept, _ = filepath.Glob(filepath.Join(folder, "state", "bundles", "main", "*.tar.gz"))
		if len(kept) != 1 {
			return false
		}
		raw, _ := os.ReadFile(kept[0])
		return bytes.Equal(raw, packed(t, "four", lets))
	})
	h.end(t)

	d.put(nil, true)
	again := start(t, func(dir string) {
		if err := os.CopyFS(filepath.Join(dir, "state"), os.DirFS(filepath.Join(folder, "state"))); err != nil {
			t.Fatal(err)
		}
		bundled(d.URL, "")(dir)
	})
	if status, code := again.ask(t); status != 200 {
		t.Errorf("without network: %d %s", status, code)
	}
	if status, report := again.ready(t); status != 200 || !report.Bundles[0].FromDisk {
		t.Errorf("%d %+v", status, report)
	}
}

func fetch(t *testing.T, h *house, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + h.at.Admin.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// mutations is how many bad bundles, and as many bad files, are tried: all of
// them in the whole proof.
func mutations() int {
	if os.Getenv("POSTERN_PROOF") != "" {
		return 500
	}
	return 60
}

// TestMutatedBundles serves one bad bundle after another, while checks go on.
// The last good one answers all of them, and what is wrong shows each time.
func TestMutatedBundles(t *testing.T) {
	ours, theirs := signingKey(t), signingKey(t)
	sign := func(key *ecdsa.PrivateKey) func(*bundle.Bundle) {
		private, _ := x509.MarshalPKCS8PrivateKey(key)
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
		return func(b *bundle.Bundle) {
			if err := b.GenerateSignature(bundle.NewSigningConfig(text, "ES256", ""), "any", true); err != nil {
				t.Fatal(err)
			}
		}
	}
	good := packed(t, "good", lets, sign(ours))
	d := newDepot(t, good)
	h := start(t, func(dir string) {
		public, _ := x509.MarshalPKIXPublicKey(&ours.PublicKey)
		place(t, filepath.Join(dir, "release.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
		bundled(d.URL, ", verification: {key: \"file:release.pem\", algorithm: ES256}")(dir)
	})
	until(t, "the good one is in force", func() bool { status, _ := h.ask(t); return status == 200 })
	_, first := h.ready(t)
	random := mathrand.New(mathrand.NewPCG(6, 500))
	under(t, h, func() {
		for i := range mutations() {
			bad, how := mutated(t, random, good, sign(ours), sign(theirs))
			d.put(bad, false)
			until(t, fmt.Sprintf("bad bundle %d (%s) is seen, and its reason shows", i, how), func() bool {
				_, report := h.ready(t)
				return d.asked(bad) && report.Bundles[0].Error != ""
			})
			if status, report := h.ready(t); status != 200 || report.Revision != first.Revision || report.Bundles[0].Revision != "good" {
				t.Fatalf("bad bundle %d (%s): %d %+v", i, how, status, report)
			}
			d.put(good, false)
			until(t, "the good one is back", func() bool {
				_, report := h.ready(t)
				return report.Bundles[0].Error == "" && report.ReloadError == ""
			})
		}
	})
}

func signingKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// mutated is a bundle that must not come into force.
func mutated(t *testing.T, random *mathrand.Rand, good []byte, ours, theirs func(*bundle.Bundle)) ([]byte, string) {
	n := random.IntN(1 << 30)
	switch random.IntN(9) {
	case 0:
		bad := bytes.Clone(good)
		// The header's time and system (RFC 1952 section 2.3) say nothing.
		bad[10+random.IntN(len(bad)-10)] ^= 1 << random.IntN(8)
		return bad, "a bit turned"
	case 1:
		return good[:1+random.IntN(len(good)-1)], "cut off"
	case 2:
		return packed(t, fmt.Sprint("unsigned ", n), lets), "unsigned"
	case 3:
		return packed(t, fmt.Sprint("theirs ", n), lets, theirs), "another's signature"
	case 4:
		return packed(t, fmt.Sprint("broken ", n), "allow if {", ours), "broken Rego"
	case 5:
		return packed(t, fmt.Sprint("refused ", n), fmt.Sprintf("allow if http.send({\"url\": \"%d\"})", n), ours), "a builtin that is refused"
	case 6:
		return packed(t, "swapped", lets, ours, func(b *bundle.Bundle) { b.Data["postern"] = map[string]any{"known": n} }), "a file swapped"
	case 7:
		return packed(t, "roots", lets, func(b *bundle.Bundle) { b.Manifest.Roots = &[]string{fmt.Sprint("other", n)} }, ours), "roots that lack the module"
	}
	return packed(t, "huge", lets, func(b *bundle.Bundle) {
		b.Data["postern"] = map[string]any{"known": strings.Repeat(" ", 2<<20) + fmt.Sprint(n)}
	}, ours), "huge"
}

// under runs body while checks go on, all of which must pass.
func under(t *testing.T, h *house, body func()) {
	t.Helper()
	var stop atomic.Bool
	var asked, refused atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for !stop.Load() {
				if status, _ := h.ask(t); status != 200 {
					refused.Add(1)
				}
				asked.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	defer func() {
		stop.Store(true)
		all.Wait()
		if asked.Load() == 0 || refused.Load() > 0 {
			t.Errorf("%d of %d checks were refused", refused.Load(), asked.Load())
		}
	}()
	body()
}

// TestMutatedFiles is the same with policy and data in a directory.
func TestMutatedFiles(t *testing.T) {
	h := start(t, nil)
	random := mathrand.New(mathrand.NewPCG(6, 501))
	_, first := h.ready(t)
	rego := filepath.Join(h.dir, "policies", "authz.rego")
	text, err := os.ReadFile(rego)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(h.dir, "policies", "zz_mutated.json")
	under(t, h, func() {
		for i := range mutations() {
			how := badFiles(t, random, rego, data, string(text))
			until(t, fmt.Sprintf("the reason of bad files %d (%s) shows", i, how), func() bool { _, report := h.ready(t); return report.ReloadError != "" })
			if status, report := h.ready(t); status != 200 || report.Revision != first.Revision {
				t.Fatalf("bad files %d (%s): %d %+v", i, how, status, report)
			}
			place(t, rego, string(text))
			_ = os.Remove(data)
			until(t, "it is mended", func() bool {
				_, report := h.ready(t)
				return report.ReloadError == "" && report.Revision == first.Revision
			})
		}
	})
}

// badFiles leaves something that must not come into force. Each file is put in
// place whole, so that no half of it, which might be good, is read.
func badFiles(t *testing.T, random *mathrand.Rand, rego, data, text string) string {
	t.Helper()
	put := func(path, content string) {
		place(t, path+".new", content)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	switch random.IntN(7) {
	case 0:
		put(rego, text[:len("package postern")]+"\x00"+text)
		return "a control character"
	case 1:
		put(rego, text+strings.Repeat("{", 1+random.IntN(50)))
		return "brackets left open"
	case 2:
		put(rego, text+fmt.Sprintf("\nmore if http.send({\"url\": \"%d\"})\n", random.Int()))
		return "a builtin that is refused"
	case 3:
		put(rego, strings.Replace(text, "package postern.authz", fmt.Sprintf("package other%d", random.Int()), 1))
		return "no entry point"
	case 4:
		put(data, `{"a": `+strings.Repeat("[", 1+random.IntN(20000)))
		return "data cut off"
	case 5:
		put(data, fmt.Sprintf(`[%d]`, random.Int()))
		return "data that is no object"
	}
	junk := make([]byte, 1+random.IntN(4096))
	for i := range junk {
		junk[i] = byte(random.Uint32())
	}
	put(data, "\xff"+string(junk))
	return "junk as data"
}

func place(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestACommandFetchesBundlesItself: a single check waits for them, and follows
// none.
func TestACommandFetchesBundlesItself(t *testing.T) {
	d := newDepot(t, packed(t, "one", stops))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../deploy/example")); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, "postern.yaml", "timeout: 20ms", "timeout: 10s")
	bundled(d.URL, "")(dir)
	verdict, _, err := serve.Check(t.Context(), serve.CheckOptions{
		ConfigPath: filepath.Join(dir, "postern.yaml"), Env: func(string) (string, bool) { return "", false },
		Request: &access.Request{Method: "GET", Host: "api.example.com", Path: "/orders/7", RawPath: "/orders/7", Client: netip.MustParseAddr("192.0.2.1"),
			Headers: access.Headers{{Name: "x-api-key", Value: mobileKey}}},
	})
	if err != nil || verdict.Reason.Code != access.CodeDeniedByPolicy {
		t.Errorf("%+v, %v", verdict, err)
	}
}
