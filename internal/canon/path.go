package canon

import (
	"errors"
	"fmt"
	"strings"
)

// MaxPath is the longest path that is read, in bytes as they came, the query
// apart. Servers refuse request lines of about this length.
const MaxPath = 8 << 10

// Path reads a request target in origin form as it stood on the wire, such as
// "/a%20b/../c?x=1". It returns the canonical path and the raw query without
// its "?".
//
// Dot segments are resolved (RFC 3986 section 5.2.4), "//" is merged, the
// ";parameters" of a segment are dropped, percent-encodings are decoded once;
// a trailing slash stays. A path that is canonical already is returned as it
// is, without an allocation. An error means that two programs may read the
// target in two ways.
func Path(raw string) (path, query string, err error) {
	return read(raw, false)
}

// DecodedPath reads a target whose path a gateway has decoded already, as
// APISIX does: "%" and white space are characters of it. Dot segments and "//"
// are resolved again.
//
// Whether a ";" was written or decoded from "%3B" can't be told any more; it
// is read as written, so that parameters take no part in matching.
func DecodedPath(raw string) (path, query string, err error) {
	return read(raw, true)
}

// Target reads what Path reads and also the absolute form "http://host/path",
// whose host must be the request's canonical host.
func Target(raw, host string) (path, query string, err error) {
	authority, rest, absolute := cutAbsolute(raw)
	if !absolute {
		return Path(raw)
	}
	named, err := Host(authority)
	if err != nil {
		return "", "", fmt.Errorf("the absolute form: %w", err)
	}
	if named != host {
		return "", "", errors.New("the absolute form names another host than the request")
	}
	return Path(rest)
}

func cutAbsolute(raw string) (authority, rest string, ok bool) {
	scheme, after, ok := strings.Cut(raw, "://")
	if scheme = lowerASCII(scheme); !ok || scheme != "http" && scheme != "https" {
		return "", "", false
	}
	if end := strings.IndexAny(after, "/?#"); end >= 0 {
		return after[:end], after[end:], true
	}
	return after, "", true
}

func read(raw string, decoded bool) (path, query string, err error) {
	path, query, _ = strings.Cut(raw, "?")
	if err := checkTarget(path, query); err != nil {
		return "", "", err
	}
	if isCanonical(path) {
		return path, query, nil
	}
	path, err = resolve(path, decoded)
	if err != nil {
		return "", "", err
	}
	return path, query, nil
}

func checkTarget(path, query string) error {
	switch {
	case path == "":
		return errors.New("the path is empty")
	case path == "*":
		return errors.New(`the target "*" has no path`)
	case path[0] != '/':
		return errors.New(`the path does not begin with "/"`)
	case len(path) > MaxPath:
		return fmt.Errorf("the path has %d bytes, more than %d", len(path), MaxPath)
	}
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("the query holds a raw %q", c)
		}
	}
	return nil
}

// isCanonical reports that there is nothing to do for a path: visible ASCII
// without percent, parameters and what is refused, no "//", and no segment
// that begins with a dot.
func isCanonical(path string) bool {
	slash := false
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ', c >= 0x7f, c == '%', c == ';', c == '\\', c == '#':
			return false
		case slash && (c == '/' || c == '.'):
			return false
		default:
			slash = c == '/'
		}
	}
	return true
}
