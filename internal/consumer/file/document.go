package file

import (
	"time"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// document is a file as it is written. What is of type Unsupported belongs to
// the format and is refused by this version.
type document struct {
	Consumers []record `yaml:"consumers,required"`
}

type record struct {
	Name        string            `yaml:"name,required"`
	DisplayName string            `yaml:"display_name"`
	Enabled     bool              `yaml:"enabled"`
	Environment string            `yaml:"environment"`
	Labels      map[string]string `yaml:"labels"`
	Groups      []string          `yaml:"groups"`
	Roles       []string          `yaml:"roles"`
	Attributes  map[string]any    `yaml:"attributes"`
	Constraints constraints       `yaml:"constraints"`
	Credentials []credential      `yaml:"credentials"`

	Plan strictyaml.Unsupported `yaml:"plan"`
}

type constraints struct {
	Addresses []strictyaml.Network `yaml:"addresses"`
	Methods   []string             `yaml:"methods"`

	Hours     strictyaml.Unsupported `yaml:"hours"`
	Paths     strictyaml.Unsupported `yaml:"paths"`
	Referrers strictyaml.Unsupported `yaml:"referrers"`
	Regions   strictyaml.Unsupported `yaml:"regions"`
}

// credential has the fields of every kind; which of them a kind knows is for
// the rules to say.
type credential struct {
	ID          string      `yaml:"id,required"`
	Type        string      `yaml:"type,required"`
	Enabled     bool        `yaml:"enabled"`
	Scopes      []string    `yaml:"scopes"`
	ExpiresAt   time.Time   `yaml:"expires_at"`
	Constraints constraints `yaml:"constraints"`

	Key           string    `yaml:"key"`
	KeySHA256     string    `yaml:"key_sha256"`
	Algorithm     string    `yaml:"algorithm"`
	Secret        string    `yaml:"secret"`
	PublicKey     publicKey `yaml:"public_key"`
	PublicKeyFile string    `yaml:"public_key_file"`
	Issuer        string    `yaml:"issuer"`
	Value         string    `yaml:"value"`
	Username      string    `yaml:"username"`
	Password      string    `yaml:"password"`
	PasswordHash  string    `yaml:"password_hash"`
	KeyID         string    `yaml:"key_id"`
	Algorithms    []string  `yaml:"algorithms"`
	URISAN        string    `yaml:"uri_san"`
	DNSSAN        string    `yaml:"dns_san"`
	Subject       string    `yaml:"subject"`
	SHA256        string    `yaml:"sha256"`

	Plan strictyaml.Unsupported `yaml:"plan"`
}

// publicKey is a PEM or JWK text, or a JWK as a mapping.
type publicKey struct {
	Text string
	JWK  map[string]any
}

// Shape implements strictyaml.Shaped.
func (k *publicKey) Shape(kind strictyaml.Kind) any {
	switch kind {
	case strictyaml.Scalar:
		return &k.Text
	case strictyaml.Mapping:
		return &k.JWK
	}
	return nil
}

// Expected implements strictyaml.Shaped.
func (*publicKey) Expected() string { return "a public key in PEM, or a JWK" }
