package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// read makes the client's request of the gateway's question. What can't be
// read safely is told in Malformed.
func (h *handler) read(d *Dialect, r *http.Request, rest string) *access.Request {
	peer := peerOf(r)
	req := &access.Request{
		Door:    d.Door,
		Time:    h.now(),
		ID:      requestID(r.Header.Get("X-Request-Id")),
		Headers: headers(r.Header, d.Consumed),
		Size:    -1, // these doors never see the body, and its announcement is the gateway's own business
		Client:  h.client(peer, r.Header["X-Forwarded-For"]),
		Trusted: h.believes(peer),
	}
	req.Source.Address = netip.AddrPortFrom(req.Client, 0)
	if d.Forwarded && !req.Trusted {
		return malformed(req, errors.New("the peer is not among the trusted proxies, so nothing says what it asks about"))
	}
	question, err := d.Question(r, rest)
	if err != nil {
		return malformed(req, err)
	}
	return malformed(req, fill(req, question, d.Target))
}

func malformed(req *access.Request, err error) *access.Request {
	if err != nil {
		req.Malformed = err.Error()
	}
	return req
}

// fill reads a question into the request, in the one canonical way.
func fill(req *access.Request, q Question, target func(uri, host string) (string, string, error)) (err error) {
	req.Method, req.RawHost, req.RawPath = q.Method, q.Host, q.URI
	if err := canon.Method(q.Method); err != nil {
		return err
	}
	if req.Scheme, err = scheme(q.Scheme); err != nil {
		return err
	}
	if req.Host, err = canon.Host(q.Host); err != nil {
		return err
	}
	req.Path, req.Query, err = target(q.URI, req.Host)
	return err
}

// scheme reads X-Forwarded-Proto, which a gateway may leave out.
func scheme(raw string) (string, error) {
	switch s := strings.ToLower(raw); s {
	case "", "http", "https", "ws", "wss":
		return s, nil
	}
	return "", fmt.Errorf("the scheme %.16q is none of http, https, ws, wss", raw)
}

// headers lists the lines of a header, names in lower case, but for those that
// are consumed. The names share one piece of memory.
func headers(h http.Header, consumed []string) access.Headers {
	lines, size := 0, 0
	for name, values := range h {
		lines, size = lines+len(values), size+len(name)
	}
	list := make(access.Headers, 0, lines)
	var names strings.Builder
	names.Grow(size)
	for name, values := range h {
		if slices.Contains(consumed, name) {
			continue
		}
		lower := appendLower(&names, name)
		for _, value := range values {
			list = append(list, access.Header{Name: lower, Value: value})
		}
	}
	return list
}

// appendLower needs no Unicode: net/http refuses names that are no tokens.
func appendLower(b *strings.Builder, name string) string {
	start := b.Len()
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		_ = b.WriteByte(c) // never fails
	}
	return b.String()[start:]
}

// maxRequestID is longer than a UUID and than what gateways make, in bytes.
const maxRequestID = 128

// requestID keeps a gateway's id for logs only if it is visible ASCII of a
// sane length.
func requestID(id string) string {
	visible := func(c rune) bool { return '!' <= c && c <= '~' }
	if len(id) > maxRequestID || strings.ContainsFunc(id, func(c rune) bool { return !visible(c) }) {
		return ""
	}
	return id
}
