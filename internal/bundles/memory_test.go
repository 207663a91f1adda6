package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/bundles"
)

// allocated is how many bytes were ever allocated in this process.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// random are bytes that no compression makes smaller.
func random(size int) []byte {
	noise := make([]byte, size)
	_, _ = rand.Read(noise) // it never fails
	return noise
}

// noisy is an archive whose one file of data is noise.
func noisy(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tarred := tar.NewWriter(zipped)
	if err := tarred.WriteHeader(&tar.Header{Name: "/main/data.json", Size: int64(size), Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := tarred.Write(random(size)); err != nil {
		t.Fatal(err)
	}
	_, _ = tarred.Close(), zipped.Close()
	return out.Bytes()
}

// TestRefusedDownloadsTakeLittleMemory: all that is allocated for a bundle that is
// refused is less than twice max_size, and next to nothing where its beginning
// says that it is none. What is allocated altogether bounds what is held at once.
func TestRefusedDownloadsTakeLittleMemory(t *testing.T) {
	const most, spare = 16 << 20, 4 << 20
	for name, c := range map[string]struct {
		body   []byte
		bound  uint64
		signed bool
	}{
		"no gzip":                   {body: random(most + most/2), bound: spare},
		"gzip of noise":             {body: append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, random(most+most/2)...), bound: spare},
		"an archive of noise":       {body: noisy(t, most-1<<20), bound: 2*most + spare},
		"an archive that is larger": {body: noisy(t, 2*most), bound: spare},
		"padded with noise":         {body: append(archive(t, "one"), random(2*most)...), bound: most + spare},
		"without a signature":       {body: noisy(t, most-1<<20), bound: 2*most + spare, signed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			s.put(nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			f := keep(t, t.TempDir())
			wanted := config("main", s.URL)
			wanted.MaxSize = most
			if c.signed {
				wanted.Verification = &bundles.Verification{Key: secret(newKeys(t).public), Algorithm: "ES256"}
			}
			f.want(t, wanted)
			f.first(t)
			s.put(nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(c.body) })
			before := allocated()
			f.askOnce(t)
			if strings.Contains(f.Reports()[0].Error, "503") {
				f.askOnce(t) // it had begun before
			}
			took := allocated() - before
			if r := f.Reports()[0]; r.Error == "" || strings.Contains(r.Error, "503") {
				t.Fatalf("%+v", r)
			}
			t.Logf("%d KiB: %s", took>>10, fmt.Sprintf("%.80s", f.Reports()[0].Error))
			if took > c.bound {
				t.Errorf("%d KiB were allocated, more than %d", took>>10, c.bound>>10)
			}
		})
	}
}
