package sqlstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// minPepper is the least length of a pepper in bytes: what the strength of an
// HMAC-SHA-256 asks for (RFC 2104 section 3).
const minPepper = sha256.Size

// vault turns references into what is looked up, and seals secrets. The first
// pepper is the newest: it alone protects what is written.
type vault struct {
	peppers []pepper
	random  io.Reader
}

type pepper struct {
	id    int64
	key   access.Secret
	block cipher.AEAD
}

func newVault(secrets []access.Secret, random io.Reader) (*vault, error) {
	v := &vault{random: random}
	for i, secret := range secrets {
		p, err := newPepper(secret)
		if err != nil {
			return nil, fmt.Errorf("pepper %d: %w", i+1, err)
		}
		if _, known := v.pepper(p.id); !known { // the default may be configured as well
			v.peppers = append(v.peppers, p)
		}
	}
	return v, nil
}

func newPepper(secret access.Secret) (pepper, error) {
	key := secret.Reveal()
	if len(key) < minPepper {
		return pepper{}, fmt.Errorf("has %d bytes; expected at least %d", len(key), minPepper)
	}
	sealing, err := hkdf.Key(sha256.New, key, nil, "postern: sealing", sha256.Size)
	if err != nil {
		return pepper{}, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return pepper{}, fmt.Errorf("derive a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return pepper{}, fmt.Errorf("derive a key: %w", err)
	}
	name, err := hkdf.Key(sha256.New, key, nil, "postern: name of the pepper", 4)
	if err != nil {
		return pepper{}, fmt.Errorf("derive a name: %w", err)
	}
	// Above 0, which stands for no pepper.
	return pepper{id: int64(binary.BigEndian.Uint32(name)) + 1, key: secret, block: aead}, nil
}

// derive makes a key for a purpose of its own, the same for all who share the
// newest pepper.
func (v *vault) derive(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, v.newest().key.Reveal(), nil, "postern: "+purpose, sha256.Size)
}

func (v *vault) newest() pepper { return v.peppers[0] }

func (v *vault) pepper(id int64) (pepper, bool) {
	for _, p := range v.peppers {
		if p.id == id {
			return p, true
		}
	}
	return pepper{}, false
}

// lookups are what a reference may be kept as, that under the newest pepper
// first. Only an API key's depends on the pepper: what other kinds show is no
// secret.
func (v *vault) lookups(ref consumer.Reference) [][]byte {
	if ref.Kind != access.KindAPIKey {
		return [][]byte{publicLookup(ref)}
	}
	all := make([][]byte, len(v.peppers))
	for i, p := range v.peppers {
		all[i] = p.lookup(ref)
	}
	return all
}

// lookup is the HMAC of an API key's SHA-256.
func (p pepper) lookup(ref consumer.Reference) []byte {
	if ref.Kind != access.KindAPIKey {
		return publicLookup(ref)
	}
	mac := hmac.New(sha256.New, p.key.Reveal())
	mac.Write([]byte(ref.Value))
	return mac.Sum(nil)
}

// publicLookup is a digest of length-delimited fields: one index of one width
// serves all kinds, and no text of a request reaches the database.
func publicLookup(ref consumer.Reference) []byte {
	h := sha256.New()
	var size [8]byte
	for _, field := range []string{string(ref.Kind), ref.Issuer, ref.Value} {
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		h.Write(size[:])
		h.Write([]byte(field))
	}
	return h.Sum(nil)
}

// seal encrypts with AES-256-GCM. Place names the row that it is for: in
// another one it does not open.
func (v *vault) seal(place string, plain []byte) ([]byte, error) {
	aead := v.newest().block
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(v.random, nonce); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, []byte(place)), nil
}

// open reverses seal.
func (v *vault) open(place string, id int64, sealed []byte) ([]byte, error) {
	p, ok := v.pepper(id)
	if !ok {
		return nil, errors.New("what is kept is protected by a pepper that is not configured")
	}
	if len(sealed) < p.block.NonceSize() {
		return nil, errors.New("what is kept is cut short")
	}
	nonce, rest := sealed[:p.block.NonceSize()], sealed[p.block.NonceSize():]
	plain, err := p.block.Open(nil, nonce, rest, []byte(place))
	if err != nil {
		return nil, errors.New("what is kept was changed, or stands in another's place")
	}
	return plain, nil
}
