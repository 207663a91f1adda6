package forwardauth

import (
	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// caddy is forward_auth. It overwrites X-Forwarded-*, and appends the client's
// query to the door's own path. copy_headers deletes the client's copy first.
func caddy() Dialect {
	return Dialect{
		Door:      access.Caddy,
		Forwarded: true,
		Question:  forwarded,
		Target:    canon.Target,
		Consumed:  consumedForwarded(),
	}
}
