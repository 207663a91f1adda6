package policy

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// headers writes the request's headers by name in lower case. Repeated lines
// are joined by a comma, as Envoy does. The four pseudo-headers say what the
// request line says, whatever door it came through.
func headers(s sink, k key, q *gate.Question, r *reads) error {
	if r.whole {
		writeWords(s, k, allHeaders(q.Request), r)
		return nil
	}
	s.begin()
	for _, name := range r.keys {
		if v, found := header(q.Request, name.name); found {
			s.text(name, v)
		}
	}
	s.end(k)
	return nil
}

func allHeaders(r *access.Request) map[string]string {
	m := make(map[string]string, len(r.Headers)+4)
	for _, name := range []string{":authority", ":method", ":path", ":scheme"} {
		if v, found := header(r, name); found {
			m[name] = v
		}
	}
	for i := range r.Headers {
		name := r.Headers[i].Name
		if _, known := m[name]; !known {
			m[name], _ = header(r, name)
		}
	}
	return m
}

func header(r *access.Request, name string) (value string, found bool) {
	switch name {
	case ":authority":
		return r.RawHost, r.RawHost != ""
	case ":method":
		return r.Method, r.Method != ""
	case ":path":
		return r.RawPath, r.RawPath != ""
	case ":scheme":
		return r.Scheme, r.Scheme != ""
	}
	value, lines := r.Headers.Get(name)
	if lines > 1 {
		return joined(r.Headers, name, lines), true
	}
	return value, lines == 1
}

func joined(h access.Headers, name string, lines int) string {
	values := make([]string, 0, lines)
	for i := range h {
		if h[i].Name == name {
			values = append(values, h[i].Value)
		}
	}
	return strings.Join(values, ",")
}
