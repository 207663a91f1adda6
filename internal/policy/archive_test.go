package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/policy"
)

// archived makes a .tar.gz of texts by name.
func archived(t testing.TB, texts map[string]string) []byte {
	t.Helper()
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	w := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(texts[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(texts[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// FuzzReadBundle: whatever an archive holds, it is a bundle within the bounds
// or refused.
func FuzzReadBundle(f *testing.F) {
	good := archived(f, map[string]string{"/.manifest": `{"revision": "1", "roots": ["a", "b"]}`, "/a/data.json": `{"x": 1}`, "/a/x.rego": "package a\n\ny := 1", "/b/data.yaml": "z: 2"})
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(archived(f, map[string]string{"/../../etc/data.json": `{}`, "//x//.rego": "package x", "data.json": `{}`}))
	f.Add(archived(f, map[string]string{"/.signatures.json": `{"signatures": ["a.b.c"]}`, "/data.json": `{}`}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		b, err := policy.ReadBundle("fuzz", bytes.NewReader(archive), policy.BundleOptions{MaxFileSize: 1 << 20})
		if (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
	})
}
