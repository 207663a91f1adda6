package rules

import (
	"crypto"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Settings are what may be changed of a credential. What finds and verifies it
// may not: that is another credential.
type Settings struct {
	Label  string
	Scopes []string
	// ExpiresAt is its end; zero: never.
	ExpiresAt   time.Time
	Constraints *Constraints
}

// Read checks the settings.
func (s *Settings) Read() (*access.Constraints, []Problem) {
	r := &reader{}
	return r.settings(s), r.problems
}

func (r *reader) settings(s *Settings) *access.Constraints {
	r.text("label", s.Label)
	r.list("scopes", s.Scopes, scopeForm.MatchString, `a scope of printable ASCII without space, " and \`)
	return r.constraints(s.Constraints)
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

// Proof is what a Credential comes to.
type Proof struct {
	access.Credential
	Label string
	// Reference finds it. Its Value is empty if it could not be read.
	Reference consumer.Reference
	// Algorithm, with Secret or PublicKey, is a JWT credential's; Algorithms,
	// with Secret, a signature credential's.
	Algorithm  string
	Algorithms []string
	Secret     access.Secret
	PublicKey  crypto.PublicKey
	// Password is a basic credential's hash. In its place, Plain is a password
	// that is yet to be hashed.
	Password, Plain access.Secret
}

// kinds are the kinds of credential with the fields that they know.
var kinds = map[access.Kind][]string{
	access.KindAPIKey:            {"key", "key_sha256"},
	access.KindJWT:               {"key", "algorithm", "secret", "public_key", "public_key_file"},
	access.KindIssuer:            {"issuer", "value"},
	access.KindBasic:             {"username", "password", "password_hash"},
	access.KindSignature:         {"key_id", "secret", "algorithms"},
	access.KindClientCertificate: {"uri_san", "dns_san", "subject", "sha256"},
}

// particular are the fields that not every kind knows.
var particular = []string{
	"key", "key_sha256", "algorithm", "secret", "public_key", "public_key_file", "issuer", "value",
	"username", "password", "password_hash", "key_id", "algorithms", "uri_san", "dns_san", "subject", "sha256",
}

// Read checks the credential and reads what finds and verifies it. With
// problems, the Proof has what could be read all the same.
func (c *Credential) Read(w Written) (*Proof, []Problem) {
	r := &reader{Written: w, has: w.Has}
	if r.has == nil {
		r.has = c.holds
	}
	proof := &Proof{
		Credential: access.Credential{
			ID: c.ID, Kind: c.Kind, Enabled: c.Enabled == nil || *c.Enabled,
			Scopes: c.Scopes, ExpiresAt: c.ExpiresAt,
		},
		Label: c.Label,
	}
	if c.ID != "" || r.has("id") {
		r.name("id", c.ID)
	}
	proof.Constraints = r.settings(&Settings{Label: c.Label, Scopes: c.Scopes, Constraints: c.Constraints})
	if r.knows(c.Kind) {
		proof.Reference = consumer.Reference{Kind: c.Kind}
		r.proof(c, proof)
	}
	return proof, r.problems
}

// knows checks the kind, and that no field of another kind is here.
func (r *reader) knows(kind access.Kind) bool {
	fields, ok := kinds[kind]
	if !ok {
		if kind != "" || r.Has == nil || r.has("type") { // left out of a file: told by its decoder
			r.refuse("type", "expected api_key, jwt, issuer, basic, signature or client_certificate")
		}
		return false
	}
	for _, field := range particular {
		if r.has(field) && !slices.Contains(fields, field) {
			r.refuse(field, "does not belong to a credential of type %s", kind)
		}
	}
	return true
}

// proof reads what finds and verifies a credential.
func (r *reader) proof(c *Credential, p *Proof) {
	switch c.Kind {
	case access.KindAPIKey:
		r.apiKey(c, p)
	case access.KindJWT:
		r.jwt(c, p)
	case access.KindBasic:
		r.basic(c, p)
	case access.KindSignature:
		r.signature(c, p)
	case access.KindClientCertificate:
		r.certificate(c, p)
	default:
		r.issuer(c, p)
	}
}

// holds reports whether a particular field, or the id, has a value.
func (c *Credential) holds(field string) bool {
	texts := map[string]string{
		"key_sha256": c.KeySHA256, "algorithm": c.Algorithm, "public_key": c.PublicKey,
		"issuer": c.Issuer, "value": c.Value, "username": c.Username, "key_id": c.KeyID,
		"uri_san": c.URISAN, "dns_san": c.DNSSAN, "subject": c.Subject, "sha256": c.SHA256,
	}
	secrets := map[string]access.Secret{
		"key": c.Key, "secret": c.Secret, "password": c.Password, "password_hash": c.PasswordHash,
	}
	return texts[field] != "" || field == "algorithms" && c.Algorithms != nil ||
		slices.Contains([]string{"key", "secret", "password", "password_hash"}, field) && !secrets[field].Empty()
}
