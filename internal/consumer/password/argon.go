package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/postern-authz/postern/internal/access"
)

// The parameters of new hashes: the first choice of OWASP's Password Storage
// Cheat Sheet for argon2id. 19 MiB and two passes take about 30 ms of one core,
// which leaves room within the 200 ms that gateways wait by default.
const (
	newMemory  = 19 << 10 // KiB
	newPasses  = 2
	newThreads = 1
	newSalt    = 16
	newTag     = 32
)

// What a hash may ask for, so that no file of hashes is a bomb: the second
// choice of RFC 9106 section 4 (64 MiB, 3 passes, 4 threads) is within it.
const (
	maxMemory  = 64 << 10 // KiB
	maxPasses  = 10
	maxThreads = 4
	maxWork    = 256 << 10 // KiB times passes: 0.4 s of one core
	minSalt    = 8
	maxSalt    = 64
	minTag     = 16
	maxTag     = 64
)

// argon is argon2id (RFC 9106).
type argon struct {
	memory, passes, threads uint32
	salt, tag               []byte
}

// parseArgon reads the PHC string form, in the one spelling that its encoders
// write: parameters in order, numbers without leading zeros, base64 unpadded.
func parseArgon(text string) (Hash, error) {
	parts := strings.Split(text, "$") // "", argon2id, version, parameters, salt, tag
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, errors.New("expected $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$TAG")
	}
	a := &argon{}
	for i, parameter := range []struct {
		name string
		into *uint32
		max  uint32
	}{{"m", &a.memory, maxMemory}, {"t", &a.passes, maxPasses}, {"p", &a.threads, maxThreads}} {
		list := strings.Split(parts[3], ",")
		if len(list) != 3 {
			return nil, errors.New("expected the three parameters m=KIB,t=PASSES,p=THREADS")
		}
		value, ok := number(strings.CutPrefix(list[i], parameter.name+"="))
		if !ok || value < 1 || value > parameter.max {
			return nil, fmt.Errorf("expected the parameter %s to be 1 to %d", parameter.name, parameter.max)
		}
		*parameter.into = value
	}
	var err error
	if a.salt, err = decode(parts[4], "salt", minSalt, maxSalt); err != nil {
		return nil, err
	}
	if a.tag, err = decode(parts[5], "tag", minTag, maxTag); err != nil {
		return nil, err
	}
	if err := a.bounds(); err != nil {
		return nil, err
	}
	return a, nil
}

// bounds holds the parameters against each other.
func (a *argon) bounds() error {
	switch {
	case a.memory < 8*a.threads: // RFC 9106 section 3.1
		return errors.New("expected the parameter m to be at least 8 times p")
	case a.memory*a.passes > maxWork:
		return fmt.Errorf("asks for too much work: expected m times t to be at most %d", maxWork)
	}
	return nil
}

func number(text string, found bool) (uint32, bool) {
	value, err := strconv.ParseUint(text, 10, 32)
	return uint32(value), found && err == nil && strconv.FormatUint(value, 10) == text
}

func decode(text, name string, least, most int) ([]byte, error) {
	data, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < least || len(data) > most || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("expected the %s to be %d to %d bytes in base64 without padding", name, least, most)
	}
	return data, nil
}

func (a *argon) Verify(password []byte) bool {
	return subtle.ConstantTimeCompare(a.of(password), a.tag) == 1
}

// of computes the tag that a password has under these parameters.
func (a *argon) of(password []byte) []byte {
	return argon2.IDKey(password, a.salt, a.passes, a.memory, uint8(a.threads), uint32(len(a.tag)))
}

func (a *argon) Decoy() access.Secret {
	decoy := *a
	decoy.salt, decoy.tag = make([]byte, len(a.salt)), make([]byte, len(a.tag))
	return decoy.text()
}

func (a *argon) text() access.Secret {
	b64 := base64.RawStdEncoding
	return access.NewSecret(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		a.memory, a.passes, a.threads, b64.EncodeToString(a.salt), b64.EncodeToString(a.tag)))
}

// New hashes a password with 16 bytes of randomness. It takes as long as a
// verification.
func New(password []byte, random io.Reader) (access.Secret, error) {
	if len(password) < MinLength || len(password) > MaxLength {
		return access.Secret{}, fmt.Errorf("expected a password of %d to %d bytes", MinLength, MaxLength)
	}
	a := fresh()
	if _, err := io.ReadFull(random, a.salt); err != nil {
		return access.Secret{}, fmt.Errorf("reading randomness: %w", err)
	}
	a.tag = a.of(password)
	return a.text(), nil
}

// Dummy is a hash that is no password's, with the work of a new one.
func Dummy() access.Secret { return fresh().text() }

// fresh has the parameters of a new hash.
func fresh() *argon {
	return &argon{memory: newMemory, passes: newPasses, threads: newThreads, salt: make([]byte, newSalt), tag: make([]byte, newTag)}
}
