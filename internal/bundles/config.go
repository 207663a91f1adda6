package bundles

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
)

// Config says where a bundle comes from. Two configurations that are equal are
// followed as one.
type Config struct {
	// Name is the bundle's in reports, and a folder's below Deps.Directory.
	Name string
	// URL is http or https; where it is empty, File is the absolute path of an
	// archive or a folder.
	URL, File string
	// Token is sent as a bearer token, empty: none.
	Token access.Secret
	// CAFile holds authorities in PEM; empty: the system's.
	CAFile string
	// Every is the time between two questions.
	Every time.Duration
	// MaxSize bounds each unpacked file, and the archive, in bytes. All files
	// together may have four times as much.
	MaxSize int64
	// Verification is nil where a bundle need not be signed.
	Verification *Verification
}

// Verification says which signature is believed.
type Verification struct {
	// Key is a public key in PEM, or the secret of an HMAC.
	Key access.Secret
	// KeyID must be named by the signature; empty: any, or none.
	KeyID string
	// Algorithm is the only one believed, as in RFC 7518 section 3.1.
	Algorithm string
	// Scope must be the signature's; empty: it must have none.
	Scope string
}

// anyKey stands for the key where its name does not matter.
const anyKey = "any"

// options say how a bundle is read.
func (c *Config) options() policy.BundleOptions {
	return policy.BundleOptions{Verification: c.verification(), MaxFileSize: c.MaxSize}
}

// verification is nil where none is configured. Without bundle's own KeyID OPA
// looks for the key that the signature names.
func (c *Config) verification() *bundle.VerificationConfig {
	v := c.Verification
	if v == nil {
		return nil
	}
	key := &keys.Config{Key: string(v.Key.Reveal()), Algorithm: v.Algorithm}
	if v.KeyID != "" {
		return bundle.NewVerificationConfig(map[string]*keys.Config{v.KeyID: key}, "", v.Scope, nil)
	}
	return bundle.NewVerificationConfig(map[string]*keys.Config{anyKey: key}, anyKey, v.Scope, nil)
}

// check tells of what can be known before anything is fetched.
func (c *Config) check() error {
	if c.Name == "" || (c.URL == "") == (c.File == "") {
		return errors.New("a bundle needs a name and one of URL and file")
	}
	if strings.ContainsAny(c.Name, `/\`) || strings.HasPrefix(c.Name, ".") {
		return fmt.Errorf("bundle %q: a name is no path", c.Name)
	}
	if err := c.Verification.check(); err != nil {
		return fmt.Errorf("bundle %s: the verification's key: %w", c.Name, err)
	}
	return nil
}

// check parses the key as OPA will for each signature.
func (v *Verification) check() error {
	if v == nil || strings.HasPrefix(v.Algorithm, "HS") {
		return nil
	}
	block, _ := pem.Decode(v.Key.Reveal())
	if block == nil {
		return errors.New("expected a public key in PEM")
	}
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		_, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		_, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		_, err = x509.ParseCertificate(block.Bytes)
	default:
		return fmt.Errorf("expected a public key in PEM, got %q", block.Type)
	}
	if err != nil {
		return errors.New("the PEM can't be read as a public key") // no words of what is in it
	}
	return nil
}

// authorities are those of CAFile, nil for the system's.
func (c *Config) authorities() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", c.Name, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("bundle %s: %s holds no certificate in PEM", c.Name, c.CAFile)
	}
	return pool, nil
}
