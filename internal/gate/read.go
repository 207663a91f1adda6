package gate

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// unsafe says why a request can't be read safely although its door could read
// it, or "". aliases are headers that an upstream might take for managed ones
// and that the gateway must remove; managed says that the client sent a managed
// one itself.
func (r *Rules) unsafe(req *access.Request) (problem string, aliases []string, managed bool) {
	if req.Malformed != "" {
		return req.Malformed, nil, false
	}
	for i := range req.Headers {
		h := &req.Headers[i]
		switch {
		case h.Name == "connection" && r.namesGuarded(h.Value):
			return "the Connection header names a managed header or a credential's", nil, false
		case r.managed[h.Name]:
			managed = true
		case !r.alias(h.Name):
		case req.Door.RemovesHeaders():
			aliases = append(aliases, h.Name)
		default:
			return "a header's name differs from a managed one in _ and . alone", nil, false
		}
	}
	return "", aliases, managed
}

// honest is the request without what a client sent of managed headers and their
// aliases: nobody reads those, policy neither.
func (r *Rules) honest(req *access.Request) *access.Request {
	clean := *req
	clean.Headers = slices.DeleteFunc(slices.Clone(req.Headers), func(h access.Header) bool { return r.managed[h.Name] || r.alias(h.Name) })
	return &clean
}

// alias reports whether programs that read "_" or "." as "-" would take the
// name for a managed header's. The managed name itself is no alias.
func (r *Rules) alias(name string) bool {
	return r.folded[access.FoldName(name)] && !r.managed[name]
}

// namesGuarded reports whether a Connection header would make a proxy drop, as
// hop-by-hop, a header that must not be dropped.
func (r *Rules) namesGuarded(connection string) bool {
	for option := range strings.SplitSeq(connection, ",") {
		if r.guarded[access.FoldName(strings.TrimSpace(option))] {
			return true
		}
	}
	return false
}
