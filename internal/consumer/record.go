package consumer

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Record is a consumer as a Ledger keeps it.
type Record struct {
	// Consumer is never ephemeral.
	access.Consumer
	// Plan is the name of the plan that it is on; empty: none.
	Plan string
	// Grant is the id of the grant that made it and takes it away; empty: none.
	Grant string
	Stamp
}

// Stamp is what a Ledger itself writes beside a record.
type Stamp struct {
	// Version begins at 1 and moves with every change. An update carries the
	// version that it was made from, and fails with ErrVersion when another one
	// came first.
	Version              int64
	CreatedAt, UpdatedAt time.Time
}

// Status is what a credential is worth at a moment.
type Status string

// The statuses of a credential. Rotating is one that another has replaced and
// that still counts until its end.
const (
	StatusActive   Status = "active"
	StatusRotating Status = "rotating"
	StatusRevoked  Status = "revoked"
	StatusExpired  Status = "expired"
	StatusDisabled Status = "disabled"
)

// CredentialRecord is a credential as a Ledger keeps it.
type CredentialRecord struct {
	access.Credential
	// Consumer is its owner's name.
	Consumer string
	// Label is a name for people.
	Label string
	// Reference finds it. That of an API key is the key's SHA-256 on its way into
	// a Ledger; it never comes out again, then its Value is empty.
	Reference Reference
	// Prefix and LastFour are what may be shown of an API key: what stands before
	// its secret, for a key of Postern's own form, and its last four characters.
	Prefix, LastFour string
	// Algorithm, with Secret or PublicKey, is a JWT credential's; Algorithms,
	// with Secret, a signature credential's. PublicKey is a PEM or JWK text.
	Algorithm  string
	Algorithms []string
	PublicKey  string
	// Secret is a JWT or signature credential's, Password a basic credential's
	// hash. A Reader leaves both empty: they are read by Find alone.
	Secret, Password access.Secret
	// Replaces and ReplacedBy are ids of the credentials before and after it in
	// a rotation.
	Replaces, ReplacedBy string
	// RevokedAt is zero unless it was revoked, which nothing undoes.
	RevokedAt     time.Time
	RevokedReason string
	// LastUsedAt is to the minute; zero: never.
	LastUsedAt time.Time
	Stamp
}

// Status says what the credential itself is worth, whatever its consumer is.
func (c *CredentialRecord) Status(now time.Time) Status {
	switch {
	case !c.RevokedAt.IsZero():
		return StatusRevoked
	case !c.Enabled:
		return StatusDisabled
	case c.Expired(now):
		return StatusExpired
	case c.ReplacedBy != "":
		return StatusRotating
	}
	return StatusActive
}

// Application is a developer's application. Its name is its id.
type Application struct {
	Name        string
	DisplayName string
	Owner       string
	Labels      map[string]string
	Stamp
}

// Grant is an application's access to an API in one environment. It made a
// consumer and takes it away.
type Grant struct {
	// ID is 8 hexadecimal digits.
	ID          string
	Application string
	API         string
	Environment string
	// Consumer is "<application>-<environment>-<id>".
	Consumer string
	Stamp
}

// Plan is a named set of limits.
type Plan struct {
	Name        string
	DisplayName string
	Rates       []Rate
	Quotas      []Quota
	Stamp
}

// Rate is a count in a period, with a burst (0: the count).
type Rate struct {
	Count  int64
	Period time.Duration
	Burst  int64
}

// Quota is a count in a calendar period: "hour", "day", "week", "month" or
// "year". A hard cap denies beyond it, a soft one only tells.
type Quota struct {
	Count  int64
	Period string
	Hard   bool
}

// Author is who makes a change.
type Author struct {
	// Name is an admin token's name, or "cli:" and a user's name.
	Name string
	// Address is where the change was asked from; empty for the command line.
	Address string
}

// AuditRecord tells of one change to one thing. The records of a Ledger are a
// chain: each holds the hash of the one before.
type AuditRecord struct {
	// Number counts records from 1; Sequence is the change's.
	Number   int64
	Sequence Sequence
	At       time.Time
	Author   Author
	// Action is "create", "update", "delete", "disable", "enable", "rotate",
	// "revoke", "import", "promote" or "rollback"; Kind is "consumer",
	// "credential", "application", "grant", "plan" or "policy"; Target is its name,
	// id or revision.
	Action, Kind, Target string
	// Before and After are JSON objects without secrets; empty where there is
	// none.
	Before, After string
	// Reason is the author's word, of a revocation.
	Reason string
	// Previous and Hash are SHA-256 digests as lower-case hexadecimal digits;
	// Previous of the first record is empty.
	Previous, Hash string
}

// Remembered is the answer to a request that carried an idempotency key.
type Remembered struct {
	// Key names author and idempotency key, Request the request's contents; both
	// are digests.
	Key, Request string
	// Response holds a key that is shown once, so it is a secret.
	Response  access.Secret
	ExpiresAt time.Time
}

// Instance is a running Postern that follows a Ledger.
type Instance struct {
	// ID is new at every start; Name is the host's or a configured one.
	ID, Name string
	Version  string
	// Applied is the last change that it has applied.
	Applied   Sequence
	StartedAt time.Time
	// Age is the time since it was last heard of, by the Ledger's clock.
	Age time.Duration
}

// Live reports whether the instance counts as running: it was heard of within
// three beats.
func (i Instance) Live() bool { return i.Age < 3*BeatEvery }

// Silent reports whether the instance is not Live and may run all the same: cut
// off from the Ledger it answers from what it remembers for a while.
func (i Instance) Silent() bool { return !i.Live() && i.Age < silentFor }

// silentFor is when what a silent instance remembered has ended, by any usual
// cache.ttl.
const silentFor = 5 * time.Minute

// BeatEvery is how often an instance tells that it lives.
const BeatEvery = 5 * time.Second
