package forwardauth

import (
	"net/http"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// nginx is auth_request. It sends nothing of its own about the client's
// request: the configuration sets X-Original-URI $request_uri and
// X-Original-Method $request_method, or X-Forwarded-*. A status other than
// 401 and 403 would reach the client as 500. It announces the client's body
// (Content-Length) and sends none.
func nginx() Dialect {
	return Dialect{
		Door:      access.Nginx,
		Forwarded: true,
		Question:  original,
		Target:    canon.Target,
		Consumed:  append(consumedForwarded(), "X-Original-Uri", "X-Original-Method"),
		Denials:   []int{http.StatusUnauthorized, http.StatusForbidden},
	}
}

// original reads X-Original-*, and X-Forwarded-* only where there is neither.
// The two are a pair: half of one with half of the other would let a client
// fill in what the configuration forgot.
func original(r *http.Request, rest string) (Question, error) {
	if len(r.Header["X-Original-Uri"]) == 0 && len(r.Header["X-Original-Method"]) == 0 {
		return forwarded(r, rest)
	}
	lines := singles{header: r.Header}
	q := Question{URI: lines.required("X-Original-Uri"), Method: lines.required("X-Original-Method")}
	q.Host = lines.optional("X-Forwarded-Host", r.Host)
	q.Scheme = lines.optional("X-Forwarded-Proto", "")
	return q, lines.err
}
