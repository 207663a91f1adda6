package canon

import (
	"bytes"
	"errors"
	"strings"
)

// resolve makes the canonical path of one that begins with "/".
func resolve(path string, decoded bool) (string, error) {
	r := resolver{out: make([]byte, 0, len(path)), read: decodeSegment, empty: -1}
	if decoded {
		r.read = copySegment
	}
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if err := r.add(segment, !more); err != nil {
			return "", err
		}
	}
	if len(r.out) == 0 {
		return "/", nil
	}
	return string(r.out), nil
}

// resolver builds a canonical path, a segment at a time.
type resolver struct {
	// out is the path so far, each segment with its slash in front.
	out  []byte
	read func(out []byte, segment string) ([]byte, error)
	// depth is how many segments out has; empty is the depth at which "//"
	// was merged last, -1 if nowhere; afterEmpty says that the segment before
	// was empty.
	depth, empty int
	afterEmpty   bool
}

func (r *resolver) add(segment string, last bool) error {
	name, parameters, _ := strings.Cut(segment, ";")
	start := len(r.out)
	read, err := r.read(append(r.out, '/'), name)
	if err != nil {
		return err
	}
	// Parameters are dropped, but what is refused in a path is refused there too.
	if _, err := r.read(nil, parameters); err != nil {
		return err
	}
	switch {
	case isDots(segment):
		return r.climb(segment, last)
	case hidesDots(read[start+1:]):
		// "%2E", "..;x" and "..%3B" are a dot segment to one program (Tomcat
		// drops parameters first) and a name to another (nginx, Envoy).
		return errors.New("the path hides a dot segment behind an encoding or a parameter")
	case name == "" && !last:
		r.afterEmpty, r.empty = true, r.depth
		return nil
	}
	r.out, r.afterEmpty = read, false
	r.depth++
	return nil
}

// climb resolves a literal dot segment. To RFC 3986 ".." takes back an empty
// segment, to nginx the name before it: such a path is refused.
func (r *resolver) climb(dots string, last bool) error {
	if r.afterEmpty || dots == ".." && r.depth == r.empty {
		return errors.New("a dot segment follows an empty segment")
	}
	if dots == ".." {
		if r.depth == 0 {
			return errors.New("a dot segment leads above the root")
		}
		r.out = r.out[:bytes.LastIndexByte(r.out, '/')]
		r.depth--
	}
	if last {
		r.out = append(r.out, '/')
	}
	return nil
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

// hidesDots reports that a decoded name is a dot segment, or would be one
// before the parameters that a second reader may find in it.
func hidesDots(name []byte) bool {
	name, _, _ = bytes.Cut(name, []byte{';'})
	return isDots(string(name))
}
