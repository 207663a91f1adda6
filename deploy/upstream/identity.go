package upstream

import (
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Identity is what an assertion says: who the consumer is (Subject), and which
// request it was made for.
type Identity struct {
	jwt.RegisteredClaims
	Credential     string   `json:"credential"`
	IdentityIssuer string   `json:"identity_issuer"` // whose token it was; an ephemeral consumer's name is that issuer's alone
	Roles          []string `json:"roles"`
	Scopes         []string `json:"scopes"`
	Groups         []string `json:"groups"`
	Method         string   `json:"method"`
	Host           string   `json:"host"`
	Path           string   `json:"path"`
	DecisionID     string   `json:"decision_id"`
}

// Verifier lets requests through that carry a good assertion for themselves.
// Keys and Header must be set.
type Verifier struct {
	Keys     *Keys
	Header   string // X-Postern-Identity
	Issuer   string // as in identity.assertion.issuer; empty: any
	Audience string // as in identity.assertion.audience; empty: any
	// Asked returns the method, host and path that the client asked for, where
	// the gateway rewrites them; nil: those of the request.
	Asked func(*http.Request) (method, host, path string)
	Now   func() time.Time // nil: time.Now
}
