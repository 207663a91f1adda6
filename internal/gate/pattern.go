package gate

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// Pattern is a path pattern of a route: literal segments, `{name}` for exactly
// one segment that is not empty, and a last `{name...}` for any number of
// segments, none included. Its zero value matches the root alone.
type Pattern struct {
	text     string
	segments []segment
	// rest is the name of the last wildcard; open says that there is one.
	rest string
	open bool
}

// segment is a literal, or a wildcard when name is set.
type segment struct{ literal, name string }

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// ParsePattern reads a pattern. It is compared with canonical paths, so its
// literals are written decoded and hold no dot segments.
func ParsePattern(text string) (Pattern, error) {
	if !strings.HasPrefix(text, "/") || strings.Contains(text, "//") {
		return Pattern{}, fmt.Errorf("pattern %q must begin with / and hold no empty segment", text)
	}
	p := Pattern{text: text}
	names := map[string]bool{}
	parts := split(text)
	for i, part := range parts {
		name, open, err := wildcard(part)
		switch {
		case err != nil:
			return Pattern{}, fmt.Errorf("pattern %q: %w", text, err)
		case open && i != len(parts)-1:
			return Pattern{}, fmt.Errorf("pattern %q: {%s...} must be the last segment", text, name)
		case name != "" && names[name]:
			return Pattern{}, fmt.Errorf("pattern %q: the name %q stands twice", text, name)
		}
		names[name] = true
		if open {
			p.rest, p.open = name, true
			continue
		}
		p.segments = append(p.segments, segment{literal: part, name: name})
	}
	return p, nil
}

// wildcard reads one segment of a pattern; a name of "" is a literal.
func wildcard(part string) (name string, open bool, err error) {
	if !strings.ContainsAny(part, "{}") {
		if part == "" || part == "." || part == ".." {
			return "", false, fmt.Errorf("segment %q never stands in a canonical path", part)
		}
		if decoded, err := url.PathUnescape(part); err == nil && decoded != part {
			return "", false, fmt.Errorf("segment %q is encoded; paths are matched decoded: write %q", part, decoded)
		}
		return "", false, nil
	}
	name, ok := strings.CutPrefix(part, "{")
	name, closed := strings.CutSuffix(name, "}")
	name, open = strings.CutSuffix(name, "...")
	if !ok || !closed || !identifier(name) {
		return "", false, fmt.Errorf("segment %q: a wildcard is a whole segment, {name} or {name...}", part)
	}
	return name, open, nil
}

func identifier(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Match reports whether a canonical path fits, and appends what the wildcards
// took to params. A trailing slash does not count.
func (p *Pattern) Match(path string, params []access.Param) ([]access.Param, bool) {
	rest := strings.Trim(path, "/")
	for _, want := range p.segments {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch {
		case part == "":
			return params, false
		case want.name != "":
			params = append(params, access.Param{Name: want.name, Value: part})
		case part != want.literal:
			return params, false
		}
	}
	if p.open {
		return append(params, access.Param{Name: p.rest, Value: rest}), true
	}
	return params, rest == ""
}

// Covers reports whether every path that fits other fits p too.
func (p Pattern) Covers(other Pattern) bool {
	if len(other.segments) < len(p.segments) {
		return false
	}
	for i, mine := range p.segments {
		if mine.name == "" && mine != other.segments[i] {
			return false
		}
	}
	return p.open || !other.open && len(other.segments) == len(p.segments)
}

// split cuts a path into its segments; the root has none.
func split(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
