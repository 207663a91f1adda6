package config

import (
	"regexp"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/strictyaml"
)

const storeField = "consumers.store"

// store is nil where consumers are in files alone.
func (c *checker) store(p *storePart) *Store {
	if !c.doc.Has(storeField) {
		return nil
	}
	return &Store{Driver: string(p.Driver), DSN: c.dsn(p), Peppers: c.peppers(storeField+".pepper", &p.Pepper)}
}

// dsn says where the database is. That of PostgreSQL may hold a password, so it
// does not stand in this file.
func (c *checker) dsn(p *storePart) access.Secret {
	const field = storeField + ".dsn"
	if p.Driver != postgres {
		return access.NewSecret(c.file(field, c.resolve(field, p.DSN)))
	}
	dsn := c.secret(field, p.DSN)
	if text := string(dsn.Reveal()); !c.broken(field) && !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") && !strings.Contains(text, "=") {
		c.refuse(field, "what it refers to is no connection of PostgreSQL; expected postgres://HOST/DATABASE, or KEY=VALUE words")
	}
	return dsn
}

const (
	// leastPepper is in bytes: the strength of the HMAC-SHA-256 that it keys (RFC
	// 2104 section 3).
	leastPepper = 32
	maxPeppers  = 16
)

func (c *checker) peppers(field string, p *peppers) []access.Secret {
	if p.One != "" || c.doc.Has(field) && p.List == nil {
		return []access.Secret{c.pepper(field, p.One)}
	}
	c.filled(field, p.List, func(string) bool { return true }, "")
	if len(p.List) > maxPeppers {
		c.refuse(field, "has %d peppers; expected at most %d", len(p.List), maxPeppers)
		return nil
	}
	var list []access.Secret
	for i, reference := range p.List {
		list = append(list, c.pepper(at(field, i), reference))
		c.another(at(field, i), list)
	}
	return list
}

func (c *checker) pepper(field, reference string) access.Secret {
	pepper := c.secret(field, reference)
	if !c.broken(field) && len(pepper.Reveal()) < leastPepper {
		c.refuse(field, "what it refers to is shorter than %d bytes; make one with: openssl rand -base64 48", leastPepper)
	}
	return pepper
}

// another refuses the last of a list of secrets if it is there already.
func (c *checker) another(field string, list []access.Secret) {
	last := list[len(list)-1]
	for _, other := range list[:len(list)-1] {
		if !last.Empty() && last.Equal(other.Reveal()) {
			c.refuse(field, "is the same secret as one before it")
		}
	}
}

// The bounds of a key's life, and of how many there may be.
const (
	leastGrace     = time.Second
	mostGrace      = 366 * 24 * time.Hour
	maxCredentials = 10_000
)

// prefixForm is how a key of Postern's own form may begin.
var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

func (c *checker) keys(p *keysPart) Keys {
	const field = "consumers.keys"
	c.needsStore(field)
	if !prefixForm.MatchString(p.Prefix) {
		c.refuse(field+".prefix", "expected a lower-case letter, then lower-case letters and digits, at most 16")
	}
	return Keys{
		Prefix:         p.Prefix,
		Grace:          c.span(field+".grace", strictyaml.Duration(p.Grace), leastGrace, mostGrace),
		MaxCredentials: c.count(field+".max_credentials", p.MaxCredentials, maxCredentials),
	}
}

// needsStore refuses a key that says nothing where consumers are in files alone.
func (c *checker) needsStore(field string) {
	if c.doc.Has(field) && !c.doc.Has(storeField) {
		c.refuse(field, "says nothing without %s", storeField)
	}
}

// A store tells every second that there is nothing new, so that less than two
// would be exceeded again and again.
const (
	leastStaleness = 2 * time.Second
	mostStaleness  = 24 * time.Hour
)

// staleness is what stands in a field, or else what stands around it.
func (c *checker) staleness(field string, d strictyaml.Duration, around time.Duration) time.Duration {
	if !c.doc.Has(field) {
		return around
	}
	c.needsStore(field)
	if d != 0 && (time.Duration(d) < leastStaleness || time.Duration(d) > mostStaleness) {
		c.refuse(field, "expected %s to %s, or 0s for no limit", leastStaleness, mostStaleness)
	}
	return time.Duration(d)
}
