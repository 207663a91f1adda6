package cache

import (
	"crypto/sha256"
	"encoding/binary"
)

// Key is a SHA-256 digest that names an entry.
type Key [sha256.Size]byte

// Sizes of the buffers on the stack that a digest is made in: a key with its
// revision, and a token of usual size.
const (
	smallDigest = 256
	largeDigest = 2048
)

// Digest names an entry by the parts that its value depends on, the revision
// among them. Each part is delimited by its length, so that no two lists of
// parts run together to the same bytes. Up to 2 KiB nothing is allocated.
func Digest(parts ...string) Key {
	size := 0
	for _, part := range parts {
		size += 8 + len(part)
	}
	switch {
	case size <= smallDigest:
		return digestSmall(parts)
	case size <= largeDigest:
		return digestLarge(parts)
	}
	return sha256.Sum256(delimited(make([]byte, 0, size), parts))
}

func digestSmall(parts []string) Key {
	var buffer [smallDigest]byte
	return sha256.Sum256(delimited(buffer[:0], parts))
}

// digestLarge is kept out of line, so that its frame doesn't grow the stacks of
// those who digest a key.
//
//go:noinline
func digestLarge(parts []string) Key {
	var buffer [largeDigest]byte
	return sha256.Sum256(delimited(buffer[:0], parts))
}

func delimited(b []byte, parts []string) []byte {
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
