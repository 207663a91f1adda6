package forwardauth

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Bounds of a connection.
const (
	// maxHeader is what a gateway's largest request needs: Envoy takes 60 KiB
	// of headers by default, nginx and APISIX 32 KiB.
	maxHeader = 64 << 10
	// readTimeout is for a request's head and, of the opa plugin, the body; no
	// other body is waited for. Answers have time left after it.
	readTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	// idleTimeout is longer than any gateway's own by default (Envoy: 1 h), so
	// that it is the gateway who closes a pooled connection. Closed by us, it
	// could be just when the gateway asks again.
	idleTimeout = 65 * time.Minute
	// linger is how long a body that nobody reads may still come in after the
	// answer: closing under a peer that sends makes it lose the answer.
	linger = 500 * time.Millisecond
)

// Server serves HTTP/1.1 and is stricter than net/http about what it takes
// for a request: see strictConn. There is no HTTP/2: no gateway asks with it.
type Server struct{ http *http.Server }

// NewServer makes a server for the handler that New returns.
func NewServer(handler http.Handler) *Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Server{&http.Server{
		Handler:                      handler,
		Protocols:                    &protocols,
		MaxHeaderBytes:               maxHeader,
		ReadHeaderTimeout:            readTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		DisableGeneralOptionsHandler: true, // its 200 to "OPTIONS *" is an allow that nobody decided
		// What net/http would log is the noise of peers: broken handshakes.
		ErrorLog: log.New(io.Discard, "", 0),
	}}
}

// Serve answers the listener's connections until Shutdown or Close; it then
// returns http.ErrServerClosed. A listener of package tls would offer HTTP/2
// to clients: use ServeTLS.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(strictListener{l}) }

// ServeTLS is Serve over TLS with HTTP/1.1 as the only protocol on offer.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	return s.Serve(tls.NewListener(l, http1(config)))
}

// Shutdown stops listening, waits for the requests that are under way, and
// closes idle connections.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close ends every connection at once.
func (s *Server) Close() error { return s.http.Close() }

func http1(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	if choose := config.GetConfigForClient; choose != nil {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil {
				return nil, err
			}
			chosen = chosen.Clone()
			chosen.NextProtos = []string{"http/1.1"}
			return chosen, nil
		}
	}
	return config
}

// leaveBody makes the answer to a request with a body go out without waiting
// for the body: nginx announces one and never sends it. The connection is
// closed after the answer, soon after it even if the body never comes; the
// function that is returned starts that time.
func leaveBody(w http.ResponseWriter) (answered func()) {
	w.Header().Set("Connection", "close")
	return func() {
		if w.Header().Get("Connection") == "close" {
			// The deadline is the kernel's, by the real clock. A writer that has
			// none (a test's) needs none.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(linger))
		}
	}
}
