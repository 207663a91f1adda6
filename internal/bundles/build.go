package bundles

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
)

// BuildOptions say what a bundle is to be.
type BuildOptions struct {
	// Revision stands in the manifest; empty: the policy's own digest.
	Revision string
	// Roots are the paths below data that it claims, such as "shop/orders"; nil:
	// all of data.
	Roots []string
	// Signing is nil for a bundle without a signature.
	Signing *Signing
}

// Signing says how a bundle is signed.
type Signing struct {
	// Key is a private key in PEM, or the secret of an HMAC.
	Key access.Secret
	// Algorithm is as in RFC 7518 section 3.1. With RS256, RS384, RS512 and HMACs
	// the same input gives the same bytes; the others sign with randomness.
	Algorithm string
	// KeyID and Scope stand in the signature; both may be empty.
	KeyID, Scope string
}

// Build writes a policy as a bundle (.tar.gz), through OPA's own writer. What it
// writes was read back, and its signature verified, as the gate does.
func Build(w io.Writer, s *policy.Snapshot, o BuildOptions) error {
	b, err := contentOf(s)
	if err != nil {
		return err
	}
	if o.Revision != "" {
		b.Manifest.Revision = o.Revision
	}
	b.Manifest.Roots = new(rootsOf(o.Roots))
	slices.SortFunc(b.Modules, func(a, b bundle.ModuleFile) int { return strings.Compare(a.Path, b.Path) })
	if err := o.Signing.sign(b); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).DisableFormat(true).Write(*b); err != nil {
		return err
	}
	verification, err := o.Signing.verification()
	if err != nil {
		return err
	}
	reading := Config{Verification: verification, MaxSize: maxBuilt}
	if _, err := policy.ReadBundle(b.Manifest.Revision, bytes.NewReader(out.Bytes()), reading.options()); err != nil {
		return fmt.Errorf("the bundle would be refused: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// maxBuilt bounds a file of a bundle that is built, in bytes.
const maxBuilt = 4 << 30

// contentOf has OPA read what the policy consists of: tests are no part of it.
func contentOf(s *policy.Snapshot) (*bundle.Bundle, error) {
	var plain bytes.Buffer
	if err := s.WriteBundle(&plain); err != nil {
		return nil, err
	}
	b, err := bundle.NewReader(&plain).WithSizeLimitBytes(maxBuilt).Read()
	return &b, err
}

func rootsOf(named []string) []string {
	if len(named) == 0 {
		return []string{""}
	}
	var roots []string
	for _, root := range named {
		roots = append(roots, strings.Trim(root, "/"))
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

func (s *Signing) hmac() bool { return strings.HasPrefix(s.Algorithm, "HS") }

// sign never passes on OPA's words: for a secret that it takes for a file's name
// they hold the secret.
func (s *Signing) sign(b *bundle.Bundle) error {
	if s == nil {
		return nil
	}
	folder, err := os.MkdirTemp("", "postern-claims-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	claims, err := s.claims(folder)
	if err != nil {
		return err
	}
	key := string(s.Key.Reveal())
	if !s.hmac() {
		key = strings.TrimSpace(key)
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(key, s.Algorithm, claims), s.KeyID, true); err != nil {
		return fmt.Errorf("the key can't be used to sign with %s", s.Algorithm)
	}
	return nil
}

// claims is a file of further claims, as OPA wants them; "" for none.
func (s *Signing) claims(folder string) (string, error) {
	if s.Scope == "" {
		return "", nil
	}
	all := map[string]string{"scope": s.Scope}
	if s.KeyID != "" {
		all["keyid"] = s.KeyID
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "claims.json")
	return name, os.WriteFile(name, text, 0o600)
}

// verification is what believes the signature, nil for none.
func (s *Signing) verification() (*Verification, error) {
	if s == nil {
		return nil, nil
	}
	v := &Verification{Key: s.Key, KeyID: s.KeyID, Algorithm: s.Algorithm, Scope: s.Scope}
	if s.hmac() {
		return v, nil
	}
	public, err := publicOf(s.Key)
	if err != nil {
		return nil, err
	}
	v.Key = access.NewSecret(public)
	return v, nil
}

// publicOf is the public key of a private one, in PEM.
func publicOf(private access.Secret) (string, error) {
	block, _ := pem.Decode(private.Reveal())
	if block == nil {
		return "", errors.New("the signing key: expected a private key in PEM")
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(block.Bytes)
		if err != nil {
			continue
		}
		if signer, ok := key.(crypto.Signer); ok {
			der, err := x509.MarshalPKIXPublicKey(signer.Public())
			return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
		}
	}
	return "", errors.New("the signing key: expected a private key of RSA or an elliptic curve in PEM")
}
