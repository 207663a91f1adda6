package consumer

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// The form of a key that Postern makes:
//
//	<prefix>_<environment>_<id><secret><checksum>
//
// prefix is [a-z][a-z0-9]* of at most 16 characters and says whose key it is;
// environment is [a-z0-9-]+ of at most 32. The rest is 61 characters of base62
// (0-9A-Za-z): an id of 12, which may be shown and logged; a secret of 43, the
// 256 random bits; and a checksum of 6, the CRC-32 (IEEE) of everything before
// it. The checksum lets scanners and the Bearer scheme tell a key from any
// other text without asking a store; it proves nothing.
const (
	idBits         = 70
	secretBits     = 256
	idLength       = 12
	secretLength   = 43
	checksumLength = 6
	bodyLength     = idLength + secretLength + checksumLength
	maxKeyLength   = 16 + 1 + 32 + 1 + bodyLength

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// LooksLikeKey reports whether a value has the form of a key that Postern
// makes, its checksum included. Keys may have any other form too; this one
// alone is believed where other kinds of credential may stand.
func LooksLikeKey(value string) bool {
	if len(value) <= bodyLength || len(value) > maxKeyLength {
		return false
	}
	head, body := value[:len(value)-bodyLength], value[len(value)-bodyLength:]
	covered := value[:len(value)-checksumLength]
	sum := checksum(covered)
	return string(sum[:]) == value[len(covered):] && isBase62(body) && isHead(head)
}

// Mistyped reports whether a value is as long and as written as a key that
// Postern makes with that prefix, but has another checksum: nobody was ever
// given it, so there is no need to look it up.
func Mistyped(value, prefix string) bool {
	if prefix == "" || !strings.HasPrefix(value, prefix+"_") || len(value) <= bodyLength || len(value) > maxKeyLength {
		return false
	}
	head, body := value[:len(value)-bodyLength], value[len(value)-bodyLength:]
	return isHead(head) && isBase62(body) && !LooksLikeKey(value)
}

// NewKey makes a key from 41 bytes of randomness.
func NewKey(prefix, environment string, random io.Reader) (access.Secret, error) {
	head := prefix + "_" + environment + "_"
	if !isHead(head) {
		return access.Secret{}, fmt.Errorf("no key can begin with %q: expected a prefix of [a-z][a-z0-9]* and an environment of [a-z0-9-]+", head)
	}
	id, err := randomText(random, idBits, idLength)
	if err != nil {
		return access.Secret{}, err
	}
	secret, err := randomText(random, secretBits, secretLength)
	if err != nil {
		return access.Secret{}, err
	}
	covered := head + id + secret
	sum := checksum(covered)
	return access.NewSecret(covered + string(sum[:])), nil
}

// ShowKey returns what may be shown of a key: for one of Postern's own form the
// id and all that stands before the secret; for any the last four characters.
func ShowKey(key access.Secret) (id, prefix, lastFour string) {
	text := string(key.Reveal())
	if LooksLikeKey(text) {
		prefix = text[:len(text)-secretLength-checksumLength]
		id = prefix[len(prefix)-idLength:]
	}
	return id, prefix, text[max(0, len(text)-4):]
}

// NewID makes an id for a credential whose key has none, in the form of those
// that have.
func NewID(random io.Reader) (string, error) { return randomText(random, idBits, idLength) }

// randomText writes that many random bits as a base62 number.
func randomText(random io.Reader, bits, digits int) (string, error) {
	buf := make([]byte, (bits+7)/8)
	if _, err := io.ReadFull(random, buf); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	n := new(big.Int).SetBytes(buf)
	return encode(n.Rsh(n, uint(8*len(buf)-bits)), digits), nil
}

// encode writes n in base62 with leading zeros.
func encode(n *big.Int, digits int) string {
	radix, rest := big.NewInt(int64(len(base62))), new(big.Int)
	text := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		n, rest = n.QuoRem(n, radix, rest)
		text[i] = base62[rest.Int64()]
	}
	return string(text)
}

// checksum is the CRC-32 (IEEE) in base62. It goes byte by byte, since
// crc32.ChecksumIEEE would make the request path allocate.
func checksum(covered string) [checksumLength]byte {
	crc := ^uint32(0)
	for i := range len(covered) {
		crc = crc32.IEEETable[byte(crc)^covered[i]] ^ crc>>8
	}
	crc = ^crc
	var text [checksumLength]byte
	for i := checksumLength - 1; i >= 0; i-- {
		text[i] = base62[crc%62]
		crc /= 62
	}
	return text
}

func isBase62(s string) bool {
	return only(s, func(c byte) bool { return isDigit(c) || isLower(c) || c >= 'A' && c <= 'Z' })
}

// isHead reports whether s is a key's prefix and environment, each with its
// underscore.
func isHead(s string) bool {
	prefix, rest, _ := strings.Cut(s, "_")
	environment, end, ok := strings.Cut(rest, "_")
	return ok && end == "" &&
		len(prefix) >= 1 && len(prefix) <= 16 && isLower(prefix[0]) &&
		only(prefix, func(c byte) bool { return isDigit(c) || isLower(c) }) &&
		len(environment) >= 1 && len(environment) <= 32 &&
		only(environment, func(c byte) bool { return isDigit(c) || isLower(c) || c == '-' })
}

func only(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
