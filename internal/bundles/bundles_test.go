package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/postern-authz/postern/internal/bundles"
	"github.com/postern-authz/postern/internal/policy"
)

func TestAnUnchangedBundleCostsNothing(t *testing.T) {
	s := serve(t, archive(t, "one"))
	f := keep(t, "")
	set := f.want(t, config("main", s.URL))
	f.first(t)
	<-f.Changed()
	inForce(t, set, "one")
	for range 5 {
		f.ask(t)
	}
	if asked, sent := s.counts(); asked < 6 || sent != 1 {
		t.Errorf("asked %d times, sent %d times, want one", asked, sent)
	}
	select {
	case <-f.Changed():
		t.Error("a bundle that is the same is told as new")
	default:
	}
	s.put(archive(t, "two"), nil)
	f.ask(t)
	<-f.Changed()
	inForce(t, set, "two")
	if r := f.Reports()[0]; r.Activations != 2 || r.Error != "" || r.Revision != "two" || r.LastSuccess.IsZero() {
		t.Errorf("report %+v", r)
	}
}

func TestBadServers(t *testing.T) {
	other := serve(t, archive(t, "stolen"))
	good := archive(t, "two")
	bomb := bombed(t, 64<<20)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"500":            {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "token t0ken-canary is bad", 500) }, "500"},
		"404":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "404"},
		"HTML":           {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "no .tar.gz"},
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, "no .tar.gz"},
		"truncated gzip": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good[:len(good)/2]) }, "EOF"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(good)
		}, "broke off"},
		"gzip bomb":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb) }, "max_size allows"},
		"endless":       {endless, "no .tar.gz"},
		"never answers": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout"},
		"stops in between": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(good[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "pauses"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/main.tar.gz", http.StatusFound)
		}, "not followed"},
		"in a circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "again and again"},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, archive(t, "one"))
			f := keep(t, "")
			wanted := config("main", s.URL)
			wanted.Token = secret("t0ken-canary")
			set := f.want(t, wanted)
			f.first(t)
			inForce(t, set, "one")
			if got := s.last.Get("Authorization"); got != "Bearer t0ken-canary" {
				t.Fatalf("Authorization: %q", got)
			}
			s.put(nil, c.answer)
			f.ask(t)
			if r := f.Reports()[0]; !strings.Contains(r.Error, c.says) || r.Failures == 0 || r.Revision != "one" {
				t.Errorf("report %+v, want an error with %q", r, c.says)
			}
			inForce(t, set, "one")
			s.put(archive(t, "three"), nil)
			f.ask(t)
			inForce(t, set, "three")
			if r := f.Reports()[0]; r.Error != "" {
				t.Errorf("a mended server still has the error %q", r.Error)
			}
			if strings.Contains(f.log.text()+fmt.Sprint(f.Reports()), "t0ken-canary") {
				t.Errorf("the token is told:\n%s", f.log.text())
			}
		})
	}
	if asked, _ := other.counts(); asked > 0 {
		t.Error("the other server was asked")
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

// bombed is small, and unpacks to so many bytes.
func bombed(t testing.TB, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tarred := tar.NewWriter(zipped)
	if err := tarred.WriteHeader(&tar.Header{Name: "/main/data.json", Size: int64(size), Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := tarred.Write(bytes.Repeat([]byte{' '}, size)); err != nil {
		t.Fatal(err)
	}
	_, _ = tarred.Close(), zipped.Close()
	return out.Bytes()
}

func TestSignatures(t *testing.T) {
	ours, theirs := newKeys(t), newKeys(t)
	verification := &bundles.Verification{Key: secret(ours.public), Algorithm: "ES256"}
	named := &bundles.Verification{Key: secret(ours.public), Algorithm: "ES256", KeyID: "release"}
	scoped := &bundles.Verification{Key: secret(ours.public), Algorithm: "ES256", Scope: "gate"}
	late := func(b *bundle.Bundle) { b.Data["main"] = map[string]any{"revision": "forged"} }
	for name, c := range map[string]struct {
		body         []byte
		verification *bundles.Verification
		says         string
	}{
		"signed":           {archive(t, "one", ours.signed(t, "any")), verification, ""},
		"the key's name":   {archive(t, "one", ours.signed(t, "release")), named, ""},
		"another's name":   {archive(t, "one", ours.signed(t, "draft")), named, "draft"},
		"unsigned":         {archive(t, "one"), verification, "signatures"},
		"by another":       {archive(t, "one", theirs.signed(t, "any")), verification, "verify"},
		"without a scope":  {archive(t, "one", ours.signed(t, "any")), scoped, `it is signed for the scope ""; expected "gate"`},
		"data changed":     {archive(t, "one", ours.signed(t, "any"), late), verification, "digest"},
		"a module changed": {archive(t, "one", ours.signed(t, "any"), module("package main\n\nallow := true\n")), verification, "digest"},
		"roots changed": {archive(t, "one", ours.signed(t, "any"), func(b *bundle.Bundle) {
			b.Manifest.Roots = &[]string{""}
		}), verification, "digest"},
		"a module more": {archive(t, "one", ours.signed(t, "any"), func(b *bundle.Bundle) {
			b.Modules = append(b.Modules, bundle.ModuleFile{URL: "/main/b.rego", Path: "/main/b.rego", Raw: []byte("package main\n")})
		}), verification, "not included"},
		"a module less":            {archive(t, "one", ours.signed(t, "any"), func(b *bundle.Bundle) { b.Modules = nil }), verification, "not found"},
		"signed, nothing to check": {archive(t, "one", ours.signed(t, "any")), nil, "verification key"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.body)
			f := keep(t, t.TempDir())
			wanted := config("main", s.URL)
			wanted.Verification = c.verification
			set := f.want(t, wanted)
			f.first(t)
			_, _, err := compile(t, set)
			switch r := f.Reports()[0]; {
			case c.says == "" && (err != nil || r.Error != ""):
				t.Errorf("refused: %v, %+v", err, r)
			case c.says != "" && (err == nil || !strings.Contains(r.Error, c.says)):
				t.Errorf("report %+v (%v), want an error with %q", r, err, c.says)
			}
		})
	}
}

func TestABundleIsKeptForAStartWithoutNetwork(t *testing.T) {
	ours, folder := newKeys(t), t.TempDir()
	s := serve(t, archive(t, "one", ours.signed(t, "any")))
	wanted := config("main", s.URL)
	wanted.Verification = &bundles.Verification{Key: secret(ours.public), Algorithm: "ES256"}
	f := keep(t, folder)
	set := f.want(t, wanted)
	f.first(t)
	inForce(t, set, "one")
	var kept []string
	eventually(t, "it is kept", func() bool { kept, _ = filepath.Glob(folder + "/main/*.tar.gz"); return len(kept) == 1 })
	f.Close()

	s.put(nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	again := keep(t, folder)
	set = again.want(t, wanted)
	inForce(t, set, "one") // at once
	again.first(t)
	if r := again.Reports()[0]; !r.FromDisk || r.Error == "" {
		t.Errorf("report %+v, want it stale", r)
	}
	s.put(archive(t, "one", ours.signed(t, "any")), nil)
	again.ask(t)
	if r := again.Reports()[0]; r.Error != "" {
		t.Errorf("report %+v", r)
	}
	again.Close()

	write(t, kept[0], archive(t, "forged"))
	s.put(nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	forged := keep(t, folder)
	set = forged.want(t, wanted)
	if got, _, err := compile(t, set); err == nil {
		t.Errorf("what was forged on disk is in force: %s", got)
	}
	forged.first(t)
	if r := forged.Reports()[0]; !strings.Contains(r.Error, "what was kept on disk can't be used") || !strings.Contains(r.Error, "EOF") {
		t.Errorf("report %+v, want both reasons", r)
	}
	s.put(archive(t, "one", ours.signed(t, "any")), nil)
	forged.ask(t)
	if r := forged.Reports()[0]; r.Error != "" {
		t.Errorf("report %+v", r)
	}
	forged.Close()

	elsewhere := wanted
	elsewhere.URL += "?v=2"
	write(t, kept[0], archive(t, "one", ours.signed(t, "any")))
	if got, _, err := compile(t, keep(t, folder).want(t, elsewhere)); err == nil {
		t.Errorf("what came from another URL is in force: %s", got)
	}
}

func TestADiskThatIsFullLeavesTheBundleInForce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	write(t, folder, []byte("a file where the folder should be"))
	s := serve(t, archive(t, "one"))
	f := keep(t, folder)
	set := f.want(t, config("main", s.URL))
	f.first(t)
	inForce(t, set, "one")
	f.ask(t)
	eventually(t, "it says so", func() bool { return strings.Contains(f.Reports()[0].Error, "kept on disk") })
	inForce(t, set, "one")
}

func TestWhatCannotBeCompiledIsNotInForce(t *testing.T) {
	s := serve(t, archive(t, "one"))
	folder := t.TempDir()
	f := keep(t, folder)
	set := f.want(t, config("main", s.URL))
	f.first(t)
	inForce(t, set, "one")
	for says, text := range map[string]string{
		"http.send": "package main\n\nallow := http.send({\"method\": \"GET\", \"url\": \"https://evil.example\"})\n",
		"no such":   "package main\n\nother := true\n",
	} {
		s.put(archive(t, "two", module(text)), nil)
		f.ask(t)
		got, chosen, err := compile(t, set)
		if err != nil || got != "one" || chosen.Refused == nil || !strings.Contains(chosen.Refused.Error(), says) {
			t.Errorf("in force %q, %v; want one, and a refusal with %q", got, err, says)
		}
		if r := f.Reports()[0]; !strings.Contains(r.Error, says) || r.Revision != "one" {
			t.Errorf("report %+v", r)
		}
	}
	f.ask(t)
	if kept, _ := filepath.Glob(folder + "/main/*.tar.gz"); len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	} else if raw, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(raw, archive(t, "one")) {
		t.Error("what is not in force is kept in place of what is")
	}
	s.put(archive(t, "one"), nil)
	f.ask(t)
	inForce(t, set, "one")
	if r := f.Reports()[0]; r.Error != "" {
		t.Errorf("taken back, it still has the error %q", r.Error)
	}
}

// side is a bundle beside main.
func side(t testing.TB, revision, root, text string) []byte {
	return archive(t, revision, func(b *bundle.Bundle) {
		b.Manifest.Roots = &[]string{root}
		b.Data = map[string]any{}
		b.Modules = []bundle.ModuleFile{{URL: "/side.rego", Path: "/side.rego", Raw: []byte(text)}}
	})
}

func TestSeveralBundles(t *testing.T) {
	uses := module("package main\n\nimport data.side\n\nallow := {\"allowed\": side.fits(1)}\n")
	s, beside := serve(t, archive(t, "m1", uses)), serve(t, side(t, "s1", "side", "package side\n\nfits(x) := x == 1\n"))
	f := keep(t, "")
	set := f.want(t, config("main", s.URL), config("side", beside.URL))
	f.first(t)
	inForce(t, set, "m1 s1")

	// One that is bad does not hold up the other.
	s.put(archive(t, "m2", module("package main\n\nallow := nonsense(1)\n")), nil)
	beside.put(side(t, "s2", "side", "package side\n\nfits(x) := x == 2\n"), nil)
	f.ask(t)
	inForce(t, set, "m1 s2")
	if r := f.Reports(); r[0].Error == "" || r[1].Error != "" {
		t.Errorf("reports %+v", r)
	}

	// Two that need each other come into force together.
	s.put(archive(t, "m3", module("package main\n\nimport data.side\n\nallow := {\"allowed\": side.suits(1)}\n")), nil)
	beside.put(side(t, "s3", "side", "package side\n\nsuits(x) := x == 2\n"), nil)
	f.ask(t)
	inForce(t, set, "m3 s3")

	// Two that claim the same are refused, by both names.
	beside.put(side(t, "s4", "main", "package main\n\nmore := 1\n"), nil)
	f.ask(t)
	got, chosen, err := compile(t, set)
	if err != nil || got != "m3 s3" || chosen.Refused == nil || !strings.Contains(chosen.Refused.Error(), "main and side overlap") {
		t.Errorf("in force %q, %v, %+v", got, err, chosen)
	}
}

func TestAConfigurationIsFollowedAcrossReloads(t *testing.T) {
	s, beside := serve(t, archive(t, "one")), serve(t, archive(t, "two"))
	f := keep(t, "")
	main := config("main", s.URL)
	inForceOnceThere(t, f, f.want(t, main), "one")
	asked, _ := s.counts()
	if set := f.want(t, main); set.Len() == 1 {
		inForce(t, set, "one")
	}
	if again, _ := s.counts(); again != asked {
		t.Error("an unchanged configuration was asked for anew")
	}
	moved := config("main", beside.URL)
	set := f.want(t, moved)
	inForceOnceThere(t, f, set, "two")
	s.Close()
	beside.put(archive(t, "three"), nil)
	f.ask(t)
	inForce(t, set, "three")
	none, err := f.want(t).Choose(func([]*policy.Bundle) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	none.Activated() // none is left, and nothing runs on (goleak)
	asked, _ = beside.counts()
	f.Ask()
	if again, _ := beside.counts(); again != asked || len(f.Reports()) > 0 {
		t.Error("a bundle that is not configured any more is followed on")
	}
}

func inForceOnceThere(t *testing.T, f *fixture, set *bundles.Set, want string) {
	t.Helper()
	f.first(t)
	inForce(t, set, want)
}

func TestNothingIsThereYet(t *testing.T) {
	f := keep(t, "")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	set := f.want(t, config("main", gone.URL))
	f.first(t)
	_, _, err := compile(t, set)
	if err == nil || !strings.Contains(err.Error(), "not there yet: main: ") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func TestFiles(t *testing.T) {
	folder := t.TempDir()
	packed, open := filepath.Join(folder, "main.tar.gz"), filepath.Join(folder, "open")
	write(t, packed, archive(t, "one"))
	write(t, filepath.Join(open, ".manifest"), []byte(`{"revision": "s1", "roots": ["side"]}`))
	write(t, filepath.Join(open, "side", "side.rego"), []byte("package side\n\nx := 1\n"))
	f := keep(t, folder)
	set := f.want(t, bundles.Config{Name: "main", File: packed, Every: time.Millisecond, MaxSize: 1 << 20},
		bundles.Config{Name: "side", File: open, Every: time.Millisecond, MaxSize: 1 << 20})
	inForce(t, set, "one s1") // at once
	<-f.Changed()

	write(t, packed, []byte("nonsense"))
	eventually(t, "what is wrong shows", func() bool { return strings.Contains(f.Reports()[0].Error, "no .tar.gz") })
	polls := f.Reports()[0].Polls
	eventually(t, "it is looked at again", func() bool { return f.Reports()[0].Polls > polls+1 })
	if r := f.Reports()[0]; !strings.Contains(r.Error, "no .tar.gz") {
		t.Errorf("what is wrong shows no more: %+v", r)
	}
	inForce(t, set, "one s1")
	write(t, packed, archive(t, "two"))
	write(t, filepath.Join(open, ".manifest"), []byte(`{"revision": "s22", "roots": ["side"]}`))
	eventually(t, "both are followed", func() bool { got, _, _ := compile(t, set); return got == "two s22" })
	if err := os.RemoveAll(open); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is gone shows", func() bool { return f.Reports()[1].Error != "" })
	inForce(t, set, "two s22")
}

func TestWrongConfigurations(t *testing.T) {
	f := keep(t, "")
	for says, c := range map[string]bundles.Config{
		"one of URL and file": {Name: "main"},
		"no path":             {Name: "../main", URL: "https://a.example"},
		"can't be read":       {Name: "main", URL: "ftp://a.example"},
		"no such file":        {Name: "main", URL: "https://a.example/b", CAFile: "/does/not/exist"},
		"in PEM":              {Name: "main", URL: "https://a.example/b", Verification: &bundles.Verification{Key: secret("canary"), Algorithm: "RS256"}},
	} {
		if _, err := f.Want([]bundles.Config{c}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v, want an error with %q", err, says)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(archive(f, "one"))
	f.Add(bombed(f, 1<<20))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, raw []byte) {
		const most = 64 << 10
		if bundles.Inspect(bytes.NewReader(raw), most) != nil {
			return
		}
		zipped, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal("it is no gzip, and was let through")
		}
		tarred, total := tar.NewReader(zipped), int64(0)
		for {
			header, err := tarred.Next()
			if err != nil {
				break
			}
			if total += header.Size; header.Size > most || total > 4*most {
				t.Fatalf("%d bytes of a file, %d in all, were let through", header.Size, total)
			}
		}
	})
}

// TestTotalSize: each file is small enough, but all of them are too much. Sizes
// count as they are told, since a sparse file's is more than stands in the
// archive.
func TestTotalSize(t *testing.T) {
	const most = 1 << 20
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tarred := tar.NewWriter(zipped)
	for i := range 5 {
		header := &tar.Header{Name: fmt.Sprintf("/main/%d.json", i), Size: most, Mode: 0o600}
		if err := tarred.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := tarred.Write(make([]byte, most)); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = tarred.Close(), zipped.Close()
	if err := bundles.Inspect(bytes.NewReader(out.Bytes()), most); err == nil || !strings.Contains(err.Error(), "four times") {
		t.Errorf("five files of the greatest size: %v", err)
	}
}

func TestAuthorities(t *testing.T) {
	s := &server{body: archive(t, "one")}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	f := keep(t, "")
	set := f.want(t, config("main", s.URL))
	eventually(t, "a server that nobody vouches for is told of", func() bool {
		got, _, err := compile(t, set)
		if err == nil {
			t.Fatalf("in force from a server that nobody vouches for: %q", got)
		}
		return strings.Contains(err.Error(), "certificate") // else it was slow, and is asked again
	})
	known := config("main", s.URL)
	known.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	write(t, known.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	vouched := f.want(t, known)
	eventually(t, "a server that is vouched for is believed", func() bool { got, _, _ := compile(t, vouched); return got == "one" })
}

func TestNothingChangedThoughNothingIsHere(t *testing.T) {
	s := serve(t, nil)
	s.put(nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	f := keep(t, "")
	set := f.want(t, config("main", s.URL))
	f.first(t)
	if _, _, err := compile(t, set); err == nil || !strings.Contains(err.Error(), "nothing is here yet") {
		t.Errorf("%v", err)
	}
}
