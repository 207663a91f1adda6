package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// Server answers the admin API: JSON over HTTP below /v1/, and gRPC. As one
// http.Handler it serves both on one listener, which must speak HTTP/2 without
// TLS, too, for gRPC. It is used by many goroutines at once.
type Server struct {
	adminv1.UnimplementedAdminServer

	options  Options
	hosts    []string
	tokens   atomic.Pointer[[]Token]
	throttle *throttle
	gateway  http.Handler
	grpc     *grpc.Server
}

// Prefix is where the API's paths begin.
const Prefix = "/v1/"

// OpenAPIPath is where the description of the API is.
const OpenAPIPath = "/v1/openapi.json"

// New makes the admin API.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{options: o, hosts: o.Hosts, throttle: newThrottle(o.Now)}
	s.tokens.Store(&o.Tokens)
	var err error
	if s.gateway, err = s.newGateway(context.Background()); err != nil {
		return nil, fmt.Errorf("making the admin API's JSON door: %w", err)
	}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.intercept), grpc.MaxRecvMsgSize(maxImport+maxBody))
	adminv1.RegisterAdminServer(s.grpc, s)
	return s, nil
}

// SetTokens replaces the tokens, as a reload does.
func (s *Server) SetTokens(tokens []Token) error {
	if err := checkTokens(tokens); err != nil {
		return err
	}
	s.tokens.Store(&tokens)
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if p := s.guard(r); p != nil {
		writeProblem(w, p)
		return
	}
	if isGRPC(r) {
		s.serveGRPC(w, r)
		return
	}
	if r.URL.Path == OpenAPIPath && r.Method == http.MethodGet {
		serveOpenAPI(w)
		return
	}
	who, p := s.readCaller(r)
	if p == nil && !isJSON(r) {
		p = &problem{code: codeMediaType, detail: "the body's Content-Type must be application/json, without Content-Encoding"}
	}
	if p != nil {
		writeProblem(w, p)
		return
	}
	s.gateway.ServeHTTP(w, r.WithContext(withCaller(r.Context(), who)))
}

// harden says that no answer is for a cache, a frame or a guess at its type.
func harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func serveOpenAPI(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(adminv1.OpenAPI()) // the client has gone
}

// clientAddress is a connection's peer without its port. A Unix socket's peer
// has no address.
func clientAddress(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return strings.Trim(remote, "@")
	}
	return host
}
