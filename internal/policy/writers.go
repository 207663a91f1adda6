package policy

import (
	"net/url"
	"strings"

	"github.com/postern-authz/postern/internal/gate"
)

// text writes a string, even an empty one; filled leaves an empty one out.
func text(of func(*gate.Question) string) writer {
	return func(s sink, k key, q *gate.Question, _ *reads) error {
		s.text(k, of(q))
		return nil
	}
}

func filled(of func(*gate.Question) string) writer {
	return func(s sink, k key, q *gate.Question, _ *reads) error {
		if v := of(q); v != "" {
			s.text(k, v)
		}
		return nil
	}
}

func list(of func(*gate.Question) []string) writer {
	return func(s sink, k key, q *gate.Question, _ *reads) error {
		s.texts(k, of(q))
		return nil
	}
}

// words writes an object of strings, or what is read of it.
func words(of func(*gate.Question) map[string]string) writer {
	return func(s sink, k key, q *gate.Question, r *reads) error {
		writeWords(s, k, of(q), r)
		return nil
	}
}

// filledWords writes an object of strings where there are any, as protojson
// does.
func filledWords(of func(*gate.Question) map[string]string) writer {
	return func(s sink, k key, q *gate.Question, r *reads) error {
		if m := of(q); len(m) > 0 {
			writeWords(s, k, m, r)
		}
		return nil
	}
}

func writeWords(s sink, k key, m map[string]string, r *reads) {
	s.begin()
	if r.whole {
		for _, name := range sorted(m) {
			s.text(newKey(name), m[name])
		}
	}
	for _, name := range r.keys {
		if v, found := m[name.name]; found {
			s.text(name, v)
		}
	}
	s.end(k)
}

// values writes an object of JSON values, or what is read of it.
func values(of func(*gate.Question) map[string]any) writer {
	return func(s sink, k key, q *gate.Question, r *reads) error { return writeValues(s, k, of(q), r) }
}

func writeValues(s sink, k key, m map[string]any, r *reads) error {
	s.begin()
	if r.whole {
		for _, name := range sorted(m) {
			if err := s.value(newKey(name), m[name]); err != nil {
				return err
			}
		}
	}
	for _, name := range r.keys {
		if v, found := m[name.name]; found {
			if err := writeValue(s, name, v, r.parts[name.name]); err != nil {
				return err
			}
		}
	}
	s.end(k)
	return nil
}

// writeValue writes a value, of an object only what is read.
func writeValue(s sink, k key, v any, r *reads) error {
	if m, object := v.(map[string]any); object && !r.whole {
		return writeValues(s, k, m, r)
	}
	return s.value(k, v)
}

func params(s sink, k key, q *gate.Question, r *reads) error {
	m := make(map[string]string, len(q.Params))
	for _, p := range q.Params {
		m[p.Name] = p.Value
	}
	writeWords(s, k, m, r)
	return nil
}

func metadata(s sink, k key, q *gate.Question, r *reads) error {
	if q.Request.Metadata == nil {
		return nil
	}
	v, found := q.Request.Metadata()[k.name]
	if !found {
		return nil
	}
	return writeValue(s, k, v, r)
}

// parsedPath is the canonical path cut at its slashes; "/" is one empty
// segment, as in OPA-Envoy. Of segments that are read by their place only those
// are written.
func parsedPath(s sink, k key, q *gate.Question, r *reads) error {
	path := strings.TrimLeft(q.Request.Path, "/")
	if !r.whole {
		s.texts(k, r.masked(path))
		return nil
	}
	s.texts(k, strings.Split(path, "/"))
	return nil
}

// parsedQuery is each parameter with its values in order. A query that can't
// be parsed is one that two programs may read in two ways.
func parsedQuery(s sink, k key, q *gate.Question, r *reads) error {
	m, err := url.ParseQuery(q.Request.Query)
	if err != nil {
		return unreadable("the query can't be parsed")
	}
	s.begin()
	for _, name := range sorted(m) {
		if r.below(name) != nil {
			s.texts(newKey(name), m[name])
		}
	}
	s.end(k)
	return nil
}
