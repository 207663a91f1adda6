package rules

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Consumer is a consumer as somebody declares it.
type Consumer struct {
	Name        string
	DisplayName string
	// Enabled left out is true.
	Enabled     *bool
	Environment string
	Labels      map[string]string
	Groups      []string
	Roles       []string
	Attributes  map[string]any
	Plan        string
	// Constraints are nil where there are none.
	Constraints *Constraints
}

// Constraints are constraints as they are written. A list that is nil was left
// out; one that is empty was meant to constrain, so it is refused.
type Constraints struct {
	// Addresses are networks or addresses: "203.0.113.0/24", "127.0.0.1".
	Addresses []string
	Methods   []string
}

// Problem is what is wrong with one field.
type Problem struct {
	// Field is "scopes[0]" or "constraints.methods"; empty: the whole.
	Field, Text string
	// Weak: it is well written, but too weak a secret for its use.
	Weak bool
}

// Credential is a credential as somebody declares it: the fields of every kind.
// Which of them a kind knows is in kinds.
type Credential struct {
	ID    string
	Kind  access.Kind
	Label string
	// Enabled left out is true.
	Enabled     *bool
	Scopes      []string
	ExpiresAt   time.Time
	Constraints *Constraints

	Key          access.Secret
	KeySHA256    string
	Algorithm    string
	Secret       access.Secret
	PublicKey    string
	Issuer       string
	Value        string
	Username     string
	Password     access.Secret
	PasswordHash access.Secret
	KeyID        string
	Algorithms   []string
	URISAN       string
	DNSSAN       string
	Subject      string
	SHA256       string
}
