package forwardauth

import (
	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// haproxy is auth-request.lua, which asks with HEAD or the client's method and
// passes what the client sent: the configuration must set X-Forwarded-* before
// it, or a client's own would pass.
func haproxy() Dialect {
	return Dialect{
		Door:      access.HAProxy,
		Forwarded: true,
		Question:  forwarded,
		Target:    canon.Target,
		Consumed:  consumedForwarded(),
	}
}
