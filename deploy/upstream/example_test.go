package upstream_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/postern-authz/postern/deploy/upstream"
)

// identityKey is where a request's identity stands in its context.
type identityKey struct{}

// verified is a middleware over a verifier: it lets nothing through without a
// good assertion.
func verified(v *upstream.Verifier, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Verify(r)
		if err != nil {
			http.Error(w, "no valid identity assertion", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
	})
}

func ExampleNew() {
	ctx, stop := context.WithCancel(context.Background()) // for as long as the service runs
	defer stop()
	v, err := upstream.New(ctx, upstream.Config{
		KeysURL:  "http://127.0.0.1:9193/.well-known/jwks.json",
		Header:   "X-Postern-Identity",
		Issuer:   "postern",
		Audience: []string{"orders"},
		Asked:    upstream.Arrived,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := verified(v, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("from", r.Context().Value(identityKey{}).(*upstream.Identity).Subject)
	}))
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/orders/7", nil))
	fmt.Println(answer.Code)
	// Output: 401
}
