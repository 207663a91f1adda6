package access

import (
	"net/netip"
	"time"
)

// Door says which way a request came in.
type Door string

// The doors. GRPC is Envoy's ext_authz; the others are profiles of the HTTP
// door, one a gateway; OPA is the data API that APISIX's opa plugin asks.
const (
	GRPC    Door = "grpc"
	APISIX  Door = "apisix"
	Nginx   Door = "nginx"
	Traefik Door = "traefik"
	Caddy   Door = "caddy"
	Envoy   Door = "envoy"
	HAProxy Door = "haproxy"
	OPA     Door = "opa"
)

// Doors lists every door, for bounded metric labels.
func Doors() []Door {
	return []Door{GRPC, APISIX, Nginx, Traefik, Caddy, Envoy, HAProxy, OPA}
}

// RemovesHeaders reports whether the gateway behind the door removes request
// headers on our word. Where it can't, an alias of a managed header makes the
// request malformed.
func (d Door) RemovesHeaders() bool { return d == GRPC }

// Request is what a door read from the wire, once. It is the request that the
// client sent to the gateway, never the gateway's question about it.
//
// A Request is built by a door and read by everyone else; nobody changes it
// after the gate has seen it.
type Request struct {
	Door Door
	// ID is the gateway's own id of the request; it may be empty.
	ID string
	// Time is when the door read the request.
	Time time.Time

	// Malformed says why the request can't be read safely. It is for logs and
	// for `postern check`; empty means that the request was read. When it is
	// set, the other fields may be empty.
	Malformed string

	// Method is a token of RFC 9110, with case.
	Method   string
	Scheme   string
	Protocol string

	// Host is canonical: lower case, no port, no trailing dot. RawHost is as
	// it came.
	Host    string
	RawHost string

	// Path is canonical: decoded once, dot segments resolved, without query.
	// RawPath is as it came, with its query. Query is without "?", raw.
	Path    string
	RawPath string
	Query   string

	Headers Headers

	// Client is the address that the request counts as coming from, found
	// through trusted proxies. It is never an IPv4-mapped IPv6 address. It is
	// invalid when the peer has no IP address (a Unix socket).
	Client netip.Addr
	// Trusted says that the peer is a trusted proxy: what it forwards of the
	// client, such as its certificate, is believed.
	Trusted bool
	// Source and Destination are the gateway's view of the connection.
	Source, Destination Peer

	// Route is a route named by the gateway; it replaces matching. Empty: the
	// routes are matched.
	Route string
	// Entrypoint is a policy entry point named by the gateway, such as
	// "postern/authz/allow"; it replaces the route's. One that is not compiled
	// is a fault. Empty: the route's counts.
	Entrypoint string
	// Extensions are Envoy's context_extensions.
	Extensions map[string]string
	// Metadata yields further attributes for policy input, by their names in
	// protojson (metadataContext, routeMetadataContext, tlsSession). It may be
	// nil. It is called only when a policy runs.
	Metadata func() map[string]any

	// Body is what the gateway passed of the body; Size is its whole size as
	// announced, -1 when unknown; BodyTruncated says that Body is a part.
	Body          []byte
	BodyRaw       bool
	Size          int64
	BodyTruncated bool

	// Explain collects why the verdict is what it is; nil collects nothing.
	Explain *Explanation
}

// Peer is one end of the connection that carried the request (Envoy:
// AttributeContext.Peer).
type Peer struct {
	Address   netip.AddrPort
	Principal string
	// Certificate is URL-encoded PEM.
	Certificate string
	Service     string
	Labels      map[string]string
}

// Header is one header line. Names are in lower case, except in what is
// rendered for a gateway, where they are spelt as configured.
type Header struct{ Name, Value string }

// Headers are the lines of a request, names in lower case, in the order they
// came where the wire kept an order.
type Headers []Header

// Get returns the value of the first line of that name, and how many lines
// have it. The name must be in lower case.
func (h Headers) Get(name string) (value string, lines int) {
	for i := range h {
		if h[i].Name != name {
			continue
		}
		if lines == 0 {
			value = h[i].Value
		}
		lines++
	}
	return value, lines
}

// Param is one name and value taken from the path by a route's pattern, or one
// query parameter.
type Param struct{ Name, Value string }
