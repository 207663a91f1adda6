package forwardauth

import (
	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// apisix is the forward-auth plugin of Apache APISIX. Its X-Forwarded-Uri is
// nginx's $uri, decoded and normalised, with the raw query; its
// X-Forwarded-For is one address. The plugin sends only the client headers in
// request_headers, and hands to the client only those in client_headers: list
// WWW-Authenticate and Retry-After there. It allows on every status below 300.
func apisix() Dialect {
	return Dialect{
		Door:      access.APISIX,
		Forwarded: true,
		Question:  forwarded,
		Target:    decodedPath,
		Consumed:  consumedForwarded(),
	}
}

// decodedPath reads a path that APISIX has decoded already. The client's "%3F"
// can't be told from the "?" of the query any more; it is read as that.
func decodedPath(uri, _ string) (path, query string, err error) { return canon.DecodedPath(uri) }
