package harness

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// upstreamHeader marks what the upstream answered, as opposed to a gateway.
const upstreamHeader = "X-Upstream"

// Seen is a request as it reached the upstream.
type Seen struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string
}

// Upstream is the API behind a gateway: it answers 200 with what it saw.
type Upstream struct {
	// Address is host and port.
	Address string
	count   atomic.Int64
}

// StartUpstream serves until the test ends.
func StartUpstream(t testing.TB) *Upstream {
	u := &Upstream{}
	server := httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(server.Close)
	u.Address = server.Listener.Addr().String()
	return u
}

// Count is how many requests have reached it.
func (u *Upstream) Count() int64 { return u.count.Load() }

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.count.Add(1)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set(upstreamHeader, "yes")
	w.Header().Set("Content-Type", "application/json")
	seen := Seen{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body)}
	_ = json.NewEncoder(w).Encode(seen) // the client may have gone
}
