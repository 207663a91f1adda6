package forwardauth_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/forwardauth"
)

// A request that two programs may read in two ways is refused, and its
// connection is closed: what follows must not be read as a request.
func TestAmbiguousRequestsAreRefusedAndClosed(t *testing.T) {
	head := "Host: a.test\r\nX-Forwarded-Uri: /a\r\nX-Forwarded-Method: GET\r\n"
	line := "GET /forward-auth/caddy HTTP/1.1\r\n"
	tests := map[string]struct {
		raw    string
		status int
	}{
		"Content-Length with Transfer-Encoding": {line + head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"the other order, other case":           {line + head + "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n", 400},
		"Transfer-Encoding in HTTP/1.0":         {"GET /forward-auth/caddy HTTP/1.0\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"two lengths":                           {line + head + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400},
		"listed lengths":                        {line + head + "Content-Length: 0, 0\r\n\r\n", 400},
		"signed length":                         {line + head + "Content-Length: +0\r\n\r\n", 400},
		"length without end":                    {line + head + "Content-Length: 99999999999999999999\r\n\r\n", 400},
		"empty length":                          {line + head + "Content-Length:\r\n\r\n", 400},
		"another coding":                        {line + head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"two codings":                           {line + head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501},
		"space before the colon":                {line + head + "Content-Length : 3\r\n\r\nabc", 400},
		"folded line":                           {line + head + "X-A: b\r\n c\r\n\r\n", 400},
		"folded with a tab":                     {line + head + "X-Forwarded-Uri: /a\r\n\t/b\r\n\r\n", 400},
		"folded first line":                     {line + " " + head + "\r\n", 400},
		"bare LF":                               {line + head + "X-A: b\nX-B: c\r\n\r\n", 400},
		"bare LF everywhere":                    {strings.ReplaceAll(line+head+"\r\n", "\r\n", "\n"), 400},
		"bare LF after the request line":        {strings.Replace(line, "\r\n", "\n", 1) + head + "\r\n", 400},
		"bare LF at the end":                    {line + head + "\n", 400},
		"bare CR":                               {line + head + "X-A: b\rX-B: c\r\n\r\n", 400},
		"NUL":                                   {line + head + "X-A: b\x00\r\n\r\n", 400},
		"empty line first":                      {"\r\n" + line + head + "\r\n", 400},
		"no colon":                              {line + head + "X-A\r\n\r\n", 400},
		"no Host":                               {line + "X-Forwarded-Uri: /a\r\nX-Forwarded-Method: GET\r\n\r\n", 400},
		"two Hosts":                             {line + head + "Host: b.test\r\n\r\n", 400},
		"a version to come":                     {"GET /forward-auth/caddy HTTP/3.0\r\n" + head + "\r\n", 505},
		"HTTP/2 without TLS":                    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	}
	d := open(t, loopback())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn := d.dial(t)
			if _, err := conn.Write([]byte(test.raw)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			if reply := receive(t, in, test.raw); reply.StatusCode != test.status || !reply.Close {
				t.Errorf("%s, close: %v", reply.Status, reply.Close)
			}
			if more, _ := io.ReadAll(in); len(more) > 0 {
				t.Errorf("after the refusal: %q", more)
			}
		})
	}
	if n := d.count(); n != 0 {
		t.Errorf("the checker was asked %d times", n)
	}
}

// In one write and byte by byte, the second request of a connection is held to
// the same rules as the first.
func TestLaterRequestsAreReadAsStrictly(t *testing.T) {
	good := question("GET", "/forward-auth/caddy")
	body := strings.Replace(question("POST", "/v1/data/a/b", "Content-Length: 2"), "X-Forwarded-Uri: /a\r\n", "", 1) + "{}"
	bad := strings.Replace(good, "\r\nX-Forwarded-Method", "\nX-Forwarded-Method", 1)
	d := open(t, loopback())
	for name, raw := range map[string]string{"after a request": good + bad, "after a body": body + bad} {
		for _, size := range []int{len(raw), 1, 7} {
			t.Run(fmt.Sprintf("%s, %d at a time", name, size), func(t *testing.T) {
				before := d.count()
				conn := d.dial(t)
				go func() {
					for rest := raw; rest != ""; {
						n := min(size, len(rest))
						if _, err := conn.Write([]byte(rest[:n])); err != nil {
							return
						}
						rest = rest[n:]
					}
				}()
				in := bufio.NewReader(conn)
				if reply := receive(t, in, raw); reply.StatusCode != 200 || reply.Close {
					t.Errorf("the first: %s, close: %v", reply.Status, reply.Close)
				}
				rest, _ := io.ReadAll(in)
				if len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 400 ") {
					t.Errorf("the second: %q", rest)
				}
				if n := d.count() - before; n != 1 {
					t.Errorf("the checker was asked %d times", n)
				}
			})
		}
	}
}

// A body that is announced and never sent delays nothing.
func TestBodyThatNeverComes(t *testing.T) {
	for name, raw := range map[string]string{
		"length":            question("GET", "/forward-auth/caddy", "Content-Length: 3"),
		"great length":      question("GET", "/forward-auth/caddy", "Content-Length: 300000000"),
		"chunked":           question("GET", "/forward-auth/caddy", "Transfer-Encoding: chunked"),
		"expected":          question("GET", "/forward-auth/caddy", "Content-Length: 3", "Expect: 100-continue"),
		"nginx by default":  strings.Replace(question("GET", "/forward-auth/nginx", "Content-Length: 3", "Connection: close"), "HTTP/1.1", "HTTP/1.0", 1),
		"nginx, keep-alive": strings.Replace(question("GET", "/forward-auth/nginx", "Content-Length: 3", "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1),
		"other path":        question("GET", "/nothing", "Content-Length: 3"),
		"data API, GET":     question("GET", "/v1/data/a", "Content-Length: 3"),
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, loopback())
			conn := d.dial(t)
			// The server ends a wait after 5 s: what is answered before was not
			// waited for.
			if err := conn.SetDeadline(time.Now().Add(4 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte(raw)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			want := 200
			switch name {
			case "other path":
				want = 404
			case "data API, GET":
				want = 405
			}
			if reply := receive(t, in, raw); reply.StatusCode != want || !reply.Close {
				t.Errorf("%s, close: %v", reply.Status, reply.Close)
			}
			if more, err := io.ReadAll(in); len(more) > 0 || err != nil {
				t.Errorf("not closed: %q, %v", more, err)
			}
		})
	}
}

// What stands in a body is never read as a request.
func TestBodyIsNoRequest(t *testing.T) {
	d := open(t, loopback())
	smuggled := question("GET", "/forward-auth/caddy")
	for name, raw := range map[string]string{
		"length":  question("GET", "/forward-auth/caddy", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled,
		"chunked": question("GET", "/forward-auth/caddy", "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled) + smuggled,
	} {
		before := d.count()
		conn := d.dial(t)
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		all, _ := io.ReadAll(conn)
		if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 || d.count() != before+1 {
			t.Errorf("%s: %d answers, asked %d times: %q", name, n, d.count()-before, all)
		}
	}
}

func TestOptionsOfNothingIsNoAllow(t *testing.T) {
	d := open(t, loopback())
	for _, raw := range []string{
		lines("OPTIONS * HTTP/1.1", "Host: a.test"),
		lines("GET * HTTP/1.1", "Host: a.test"),
		lines("CONNECT a.test:443 HTTP/1.1", "Host: a.test"),
	} {
		if reply := d.send(t, raw); reply.StatusCode != 400 || !reply.Close {
			t.Errorf("%.20q: %s, close: %v", raw, reply.Status, reply.Close)
		}
	}
	if d.count() != 0 {
		t.Error("the checker was asked")
	}
}

func TestTooManyHeaders(t *testing.T) {
	d := open(t, loopback())
	for name, more := range map[string]string{
		"100,000 headers": strings.Repeat("X-A: b\r\n", 100_000),
		"one huge header": "X-A: " + strings.Repeat("b", 1<<20) + "\r\n",
		"no line's end":   strings.Repeat("b", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			conn := d.dial(t)
			raw := strings.TrimSuffix(question("GET", "/forward-auth/caddy"), "\r\n") + more + "\r\n"
			go func() { _, _ = conn.Write([]byte(raw)) }() // the server closes under it
			if reply := receive(t, bufio.NewReader(conn), raw); reply.StatusCode != 431 {
				t.Errorf("%s", reply.Status)
			}
		})
	}
	if d.count() != 0 {
		t.Error("the checker was asked")
	}
	many := question("GET", "/forward-auth/caddy", strings.TrimSuffix(strings.Repeat("X-A: b\r\n", 5_000), "\r\n"))
	if reply := d.send(t, many); reply.StatusCode != 200 {
		t.Errorf("5,000 headers: %s", reply.Status)
	}
	if _, n := d.request(t).Headers.Get("x-a"); n != 5_000 {
		t.Errorf("%d lines were read", n)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	d := open(t, loopback())
	conn := d.dial(t)
	in := bufio.NewReader(conn)
	for range 3 {
		for _, raw := range []string{question("GET", "/forward-auth/apisix"), question("HEAD", "/forward-auth/haproxy"), question("GET", "/nothing")} {
			if _, err := conn.Write([]byte(raw)); err != nil {
				t.Fatal(err)
			}
			if reply := receive(t, in, raw); reply.Close {
				t.Errorf("closed after %.30q", raw)
			}
		}
	}
	old := strings.Replace(question("GET", "/forward-auth/nginx", "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1)
	if reply := d.send(t, old); reply.Header.Get("Connection") != "keep-alive" {
		t.Errorf("HTTP/1.0: %v", reply.Header)
	}
}

func TestTLSOffersHTTP1Alone(t *testing.T) {
	certificate := httptest.NewTLSServer(nil)
	config := certificate.TLS.Clone()
	certificate.Close()
	config.NextProtos = []string{"h2", "http/1.1"}
	rotating := &tls.Config{NextProtos: config.NextProtos, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return config, nil }}
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	for name, config := range map[string]*tls.Config{"plain": config, "rotating": rotating} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := forwardauth.NewServer(forwardauth.New(&checker{}, forwardauth.Options{Trusted: loopback()}))
			ended := make(chan error, 1)
			go func() { ended <- server.ServeTLS(listener, config) }()
			transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
			request, _ := http.NewRequest("GET", "https://"+listener.Addr().String()+"/forward-auth/envoy/a", nil)
			request.Host = "api.example.com"
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != 200 || response.ProtoMajor != 1 {
				t.Errorf("%s %s", response.Proto, response.Status)
			}
			transport.CloseIdleConnections()
			if err := server.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != http.ErrServerClosed {
				t.Errorf("ServeTLS: %v", err)
			}
		})
	}
}
