package introspect

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-authz/postern/internal/claims"
)

// endpoint is where to ask: as configured, or else as the issuer's metadata say
// (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 2). What was
// discovered serves until the endpoint is gone.
func (s *Server) endpoint(ctx context.Context) (string, *trouble) {
	if s.config.URL != "" {
		return s.config.URL, nil
	}
	if known := s.discovered.Load(); known != nil {
		return *known, nil
	}
	found, t := s.discover(ctx)
	if t != nil {
		t.text = "discovery: " + t.text
		return "", t
	}
	s.discovered.Store(&found)
	return found, nil
}

// discover takes the endpoint from metadata that are the issuer's own.
func (s *Server) discover(ctx context.Context) (string, *trouble) {
	address := strings.TrimSuffix(s.config.Issuer, "/") + "/.well-known/openid-configuration"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", &trouble{text: "the request can't be made"}
	}
	text, t := s.do(ctx, request)
	if t != nil {
		return "", t
	}
	metadata, err := claims.ReadObject(text)
	if err != nil {
		return "", &trouble{text: err.Error(), outcome: failed}
	}
	return s.endpointIn(metadata)
}

func (s *Server) endpointIn(metadata map[string]any) (string, *trouble) {
	endpoint, _ := metadata["introspection_endpoint"].(string)
	switch {
	case metadata["issuer"] != s.config.Issuer:
		return "", &trouble{text: "the metadata are not of the configured issuer, to the byte", outcome: failed}
	case checkURL(endpoint) != nil:
		return "", &trouble{text: "the metadata have no usable introspection_endpoint", outcome: failed}
	case isHTTPS(s.config.Issuer) && !isHTTPS(endpoint):
		return "", &trouble{text: "introspection_endpoint is not https, as the issuer is", outcome: failed}
	}
	return endpoint, nil
}

func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https"
}
