package forwardauth

import (
	"net/http"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// envoy is ext_authz with an http_service whose path_prefix is the door's
// path. The question is the client's own request line and Host: X-Forwarded-*
// are the client's words and count for nothing. It allows on 200 alone, and
// takes a 5xx for an error of ours: failure_mode_allow would let a fault
// through. The gRPC door has no such gap.
func envoy() Dialect {
	return Dialect{
		Door:     access.Envoy,
		Prefixed: true,
		Question: func(r *http.Request, rest string) (Question, error) {
			return Question{Method: r.Method, URI: rest, Host: r.Host}, nil
		},
		Target: func(uri, _ string) (string, string, error) { return canon.Path(uri) },
	}
}
