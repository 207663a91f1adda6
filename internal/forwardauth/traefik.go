package forwardauth

import (
	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// traefik is the ForwardAuth middleware. It sets every X-Forwarded-* itself
// unless trustForwardHeader is on; then a client's own would pass. List the
// managed headers in authResponseHeaders: Traefik deletes the client's copy of
// those first.
func traefik() Dialect {
	return Dialect{
		Door:      access.Traefik,
		Forwarded: true,
		Question:  forwarded,
		Target:    canon.Target,
		Consumed:  consumedForwarded(),
	}
}
