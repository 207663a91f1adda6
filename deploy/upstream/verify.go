// Package upstream verifies Postern's identity assertion in an upstream. Copy
// it: it needs nothing but the JWKS URL and golang-jwt.
package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

type contextKey struct{}

// From returns the identity of a request that Middleware let through.
func From(ctx context.Context) *Identity {
	id, _ := ctx.Value(contextKey{}).(*Identity)
	return id
}

// Middleware answers 401 where there is no good assertion.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Verify(r)
		if err != nil {
			http.Error(w, "no valid identity assertion", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, id)))
	})
}

// Verify returns who the request is from. The error is for the log.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	lines := r.Header.Values(v.Header)
	if len(lines) != 1 {
		return nil, errors.New("expected one line of " + v.Header)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{"ES256", "EdDSA"}), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
		jwt.WithIssuer(v.Issuer), jwt.WithTimeFunc(v.Now),
	}
	if v.Audience != "" {
		options = append(options, jwt.WithAudience(v.Audience))
	}
	ctx, id := r.Context(), &Identity{}
	_, err := jwt.ParseWithClaims(lines[0], id, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if t.Header["typ"] != "postern-identity+jwt" {
			return nil, errors.New("another type of token")
		}
		return v.Keys.find(ctx, kid)
	}, options...)
	if err != nil {
		return nil, err
	}
	method, host, path := v.asked(r)
	if id.Subject == "" || id.Method != method || id.Host != host || id.Path != path {
		return nil, errors.New("the assertion is for another request")
	}
	return id, nil
}

func (v *Verifier) asked(r *http.Request) (method, host, path string) {
	if v.Asked != nil {
		return v.Asked(r)
	}
	port := (&url.URL{Host: r.Host}).Port()
	host = strings.ToLower(strings.TrimSuffix(r.Host, ":"+port))
	return r.Method, strings.TrimSuffix(host, "."), r.URL.Path
}
