package serve

import (
	"encoding/hex"
	"math/rand/v2"
)

// newDecisionID makes 128 bits in hexadecimal digits. Ids must differ, not be
// secret: the runtime's generator is seeded from the system and needs no call.
func newDecisionID() string {
	var raw [16]byte
	var text [32]byte
	for i := range 2 {
		bits := rand.Uint64() //nolint:gosec // see above
		for j := range 8 {
			raw[8*i+j] = byte(bits >> (8 * j))
		}
	}
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
