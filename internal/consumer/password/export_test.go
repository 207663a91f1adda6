package password

import (
	"encoding/binary"

	"github.com/postern-authz/postern/internal/access"
)

// MaxRemembered is how many hashes a Hasher remembers.
const MaxRemembered = maxRemembered

// Fill remembers n hashes and returns how many are remembered then.
func (h *Hasher) Fill(n int) int {
	for i := range n {
		var name [32]byte
		binary.BigEndian.PutUint64(name[:], uint64(i))
		h.remember(name, access.Secret{})
	}
	return len(h.remembered)
}
