package forwardauth_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/forwardauth"
)

func TestMain(m *testing.M) {
	// net/http waits half a second after some refusals, by itself and bounded.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// patience is how long a test waits for what must come; nothing is measured
// by it.
const patience = 10 * time.Second

// checker answers what it is told to, and keeps the request that it was asked
// about.
type checker struct {
	answer func(*access.Request) access.Verdict

	mu    sync.Mutex
	asked *access.Request
	times int
}

func (c *checker) Check(_ context.Context, req *access.Request) access.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = req
	c.times++
	if c.answer == nil {
		return allowed()
	}
	return c.answer(req)
}

func (c *checker) request(t *testing.T) *access.Request {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		t.Fatal("the checker was not asked")
	}
	return c.asked
}

func (c *checker) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times
}

func allowed() access.Verdict {
	v := access.Allow()
	v.DecisionID = "d-1"
	v.Managed = []access.Header{
		{Name: "X-Consumer-Username", Value: "alice"},
		{Name: "X-Consumer-Custom-ID", Value: ""},
		{Name: "X-Decision-Id", Value: "d-1"},
	}
	return v
}

func always(v access.Verdict) func(*access.Request) access.Verdict {
	return func(*access.Request) access.Verdict { return v }
}

// loopback is trusted in most tests, as by default.
func loopback() canon.Trusted {
	return canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
}

// door is a real server with a fake checker behind it.
type door struct {
	*checker
	network, address string
	log              *journal
}

func open(t *testing.T, trusted canon.Trusted) *door {
	t.Helper()
	return openOn(t, "tcp", "127.0.0.1:0", trusted)
}

func openOn(t *testing.T, network, address string, trusted canon.Trusted) *door {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{checker: &checker{}, network: network, address: listener.Addr().String(), log: &journal{}}
	server := forwardauth.NewServer(forwardauth.New(d.checker, forwardauth.Options{
		Trusted: trusted, Log: slog.New(slog.NewTextHandler(d.log, nil)),
	}))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

// dial opens a connection that ends with the test.
func (d *door) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial(d.network, d.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// reply is a response with its whole body.
type reply struct {
	*http.Response
	body string
}

// send writes bytes as they are and reads one response to them.
func (d *door) send(t *testing.T, raw string) reply {
	t.Helper()
	conn := d.dial(t)
	if _, err := conn.Write([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	return receive(t, bufio.NewReader(conn), raw)
}

func receive(t *testing.T, from *bufio.Reader, raw string) reply {
	t.Helper()
	method, _, _ := strings.Cut(raw, " ")
	response, err := http.ReadResponse(from, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatalf("the answer's body: %v", err)
	}
	return reply{response, body.String()}
}

// lines joins the lines of a head and ends it.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

// nobody trusts no peer.
var nobody canon.Trusted

func trusting(t *testing.T, prefix string) canon.Trusted {
	t.Helper()
	return canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix(prefix)})
}

// journal is a log that a test can read while the server writes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
