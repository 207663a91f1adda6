package gate

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// unsafe says why a request can't be read safely although its door could read
// it, or "". aliases are headers that an upstream might take for managed ones
// and that the gateway must remove.
func (r *Rules) unsafe(req *access.Request) (problem string, aliases []string) {
	if req.Malformed != "" {
		return req.Malformed, nil
	}
	for i := range req.Headers {
		h := &req.Headers[i]
		switch {
		case h.Name == "connection" && r.namesGuarded(h.Value):
			return "the Connection header names a managed header or a credential's", nil
		case !r.alias(h.Name):
		case req.Door.RemovesHeaders():
			aliases = append(aliases, h.Name)
		default:
			return "a header's name differs from a managed one in _ and . alone", nil
		}
	}
	return "", aliases
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
