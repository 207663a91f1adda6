package password

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/postern-authz/postern/internal/access"
)

// maxRemembered bounds how many hashes a Hasher remembers; each takes about
// 250 bytes.
const maxRemembered = 16 << 10

// Hasher makes hashes of passwords that are declared in plain text, and
// remembers them, so that reading the declaration again is quick and finds the
// same hash. It remembers by a digest under a key of its own, which ends with
// the process. It is used by many goroutines at once.
type Hasher struct {
	key [32]byte

	mu         sync.Mutex // guards random too, whose readers need not be safe
	random     io.Reader
	remembered map[[sha256.Size]byte]access.Secret
}

// NewHasher makes a hasher that takes its key and its salts from random.
func NewHasher(random io.Reader) (*Hasher, error) {
	h := &Hasher{random: random, remembered: map[[sha256.Size]byte]access.Secret{}}
	if _, err := io.ReadFull(random, h.key[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return h, nil
}

// Hash returns a hash of an owner's password: the one from before, if it is
// remembered.
func (h *Hasher) Hash(owner, password string) (access.Secret, error) {
	name := h.name(owner, password)
	if hash, ok := h.recall(name); ok {
		return hash, nil
	}
	hash, err := New([]byte(password), lockedReader{h})
	if err == nil {
		h.remember(name, hash)
	}
	return hash, err
}

// name is a keyed digest of owner and password, delimited by the owner's
// length.
func (h *Hasher) name(owner, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, h.key[:])
	text := binary.BigEndian.AppendUint64(nil, uint64(len(owner)))
	text = append(append(text, owner...), password...)
	mac.Write(text) // a hash never fails to write
	mac.Sum(sum[:0])
	return sum
}

func (h *Hasher) recall(name [sha256.Size]byte) (access.Secret, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hash, ok := h.remembered[name]
	return hash, ok
}

// remember makes room by forgetting any other: what is forgotten is hashed
// again when it is needed.
func (h *Hasher) remember(name [sha256.Size]byte, hash access.Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for other := range h.remembered {
		if len(h.remembered) < maxRemembered {
			break
		}
		delete(h.remembered, other)
	}
	h.remembered[name] = hash
}

// lockedReader reads the hasher's randomness, one reader at a time.
type lockedReader struct{ *Hasher }

func (r lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.Read(p)
}
