package forwardauth

import (
	"fmt"
	"net/http"

	"github.com/postern-authz/postern/internal/access"
)

// Dialect is what is particular about one gateway.
type Dialect struct {
	// Door names it, also in the path.
	Door access.Door
	// Forwarded says that the client's request stands in headers, which only a
	// trusted peer is believed about.
	Forwarded bool
	// Prefixed says that the client's path follows the door's own path.
	Prefixed bool
	// Question finds the client's request in the gateway's; rest is what
	// follows the door's own path.
	Question func(r *http.Request, rest string) (Question, error)
	// Target reads the question's URI for a canonical host.
	Target func(uri, host string) (path, query string, err error)
	// Consumed are the headers that tell of the request and are no part of it,
	// in net/http's spelling.
	Consumed []string
	// Denials are the only statuses that the gateway hands on to the client; a
	// denial with another one is rendered as 403, with the status that was
	// meant in X-Postern-Status. Nil: every status from 300 on.
	Denials []int
}

// Question is the client's request as the gateway tells it, not yet read.
type Question struct{ Method, URI, Host, Scheme string }

// Dialects are those of all gateways.
func Dialects() []Dialect {
	return []Dialect{apisix(), nginx(), traefik(), caddy(), envoy(), haproxy()}
}

// forwarded reads the headers that most gateways set (there is no standard;
// Traefik's names are the field's habit). URI and method must be there: without
// them the gateway asks about nothing, and a guess would be someone's way in.
func forwarded(r *http.Request, _ string) (q Question, err error) {
	lines := singles{header: r.Header}
	q.URI = lines.required("X-Forwarded-Uri")
	q.Method = lines.required("X-Forwarded-Method")
	q.Host = lines.optional("X-Forwarded-Host", r.Host)
	q.Scheme = lines.optional("X-Forwarded-Proto", "")
	return q, lines.err
}

// consumedForwarded leaves X-Forwarded-For and -Proto to policies, which read
// them behind Envoy too.
func consumedForwarded() []string {
	return []string{"X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"}
}

// singles reads headers that may stand in a request once. The first problem
// stays in err.
type singles struct {
	header http.Header
	err    error
}

func (s *singles) optional(name, otherwise string) string {
	lines := s.header[name]
	if len(lines) == 0 {
		return otherwise
	}
	if len(lines) > 1 && s.err == nil {
		s.err = fmt.Errorf("%s is there %d times", name, len(lines))
	}
	return lines[0]
}

func (s *singles) required(name string) string {
	if len(s.header[name]) == 0 && s.err == nil {
		s.err = fmt.Errorf("%s is missing", name)
	}
	return s.optional(name, "")
}
