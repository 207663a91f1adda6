package gate

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Route says how the requests that it matches are judged. Everything that its
// configuration leaves out has been filled in from the defaults.
type Route struct {
	// Name is empty for the default alone.
	Name  string
	Match Match
	// Anonymous lets a request without any credential go on to policy.
	Anonymous    bool
	Authenticate Authenticate
	// Environments are those whose consumers are believed; none: all are.
	Environments []string
	Require      Require
	// MaxStaleness is how long ago the store of consumers may have been heard of,
	// for what rests on it; 0: any time.
	MaxStaleness time.Duration
	// Entrypoint is the policy rule that decides.
	Entrypoint string
}

// Match is what a request must be like; each list that is empty matches all.
type Match struct {
	// Methods are exact; GET does not include HEAD.
	Methods []string
	// Hosts are canonical; "*.example.com" is any name under it.
	Hosts []string
	Paths []Pattern
}

// Authenticate names the kinds of credential that are believed; others are not
// looked at. With AllOf each of them must be proven, of one consumer.
type Authenticate struct {
	Kinds []access.Kind
	AllOf bool
}

// Require is checked before policy, in the order of its fields: any one of
// Roles, all of Scopes, any one of Groups.
type Require struct {
	Roles, Scopes, Groups []string
}

func (r *Require) empty() bool {
	return len(r.Roles) == 0 && len(r.Scopes) == 0 && len(r.Groups) == 0
}

// missing says what an identity lacks, or reports that it lacks nothing.
func (r *Require) missing(id *access.Identity) (reason access.Reason, lacks bool) {
	switch {
	case len(r.Roles) > 0 && !anyOf(r.Roles, id.Roles):
		return access.Reason{Code: access.CodeMissingRole, Detail: "needs one of the roles " + strings.Join(r.Roles, ", ")}, true
	case !allOf(r.Scopes, id.Scopes):
		return access.Reason{Code: access.CodeMissingScope, Detail: "needs all of the scopes " + strings.Join(r.Scopes, ", ")}, true
	case len(r.Groups) > 0 && !anyOf(r.Groups, id.Groups):
		return access.Reason{Code: access.CodeMissingGroup, Detail: "needs one of the groups " + strings.Join(r.Groups, ", ")}, true
	}
	return access.Reason{}, false
}

func anyOf(wanted, held []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(held, w) })
}

func allOf(wanted, held []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(held, w) })
}

// fits reports whether a request matches, and what the path's wildcards took.
func (m *Match) fits(req *access.Request) ([]access.Param, bool) {
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, req.Method) {
		return nil, false
	}
	if len(m.Hosts) > 0 && !m.hasHost(req.Host) {
		return nil, false
	}
	return m.fitsPath(req.Path)
}

func (m *Match) fitsPath(path string) ([]access.Param, bool) {
	for i := range m.Paths {
		if params, ok := m.Paths[i].Match(path, nil); ok {
			return params, true
		}
	}
	return nil, len(m.Paths) == 0
}

func (m *Match) hasHost(host string) bool {
	return slices.ContainsFunc(m.Hosts, func(want string) bool { return hostCovers(want, host) })
}

// hostCovers reports whether a host, or every host under a wildcard, is what a
// route's host stands for.
func hostCovers(want, host string) bool {
	if suffix, ok := strings.CutPrefix(want, "*"); ok {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return want == host
}

// Covers reports whether every request that other matches is matched by m.
func (m *Match) Covers(other *Match) bool {
	return covers(m.Methods, other.Methods, func(a, b string) bool { return a == b }) &&
		covers(m.Hosts, other.Hosts, func(a, b string) bool { return a == b || hostCovers(a, b) }) &&
		covers(m.Paths, other.Paths, Pattern.Covers)
}

// covers reports whether each of theirs is covered by one of mine; an empty
// list stands for everything.
func covers[T any](mine, theirs []T, one func(T, T) bool) bool {
	if len(mine) == 0 {
		return true
	}
	return len(theirs) > 0 && !slices.ContainsFunc(theirs, func(t T) bool {
		return !slices.ContainsFunc(mine, func(m T) bool { return one(m, t) })
	})
}
