package keyring

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// Settings are what may be changed of a credential.
type Settings = rules.Settings

// Rotation says how a key is replaced.
type Rotation struct {
	// Version is the credential's; 0: any.
	Version int64
	// Grace is how long the old key still counts; nil: Options.Grace.
	Grace *time.Duration
	// ExpiresAt is the new key's end; zero: the old one's.
	ExpiresAt time.Time
}

// Revocation ends a credential for good.
type Revocation struct {
	// Reason is the author's word, up to 256 bytes.
	Reason string
	// Wait is how long to wait for the instances that are live, up to 60 seconds;
	// 0: ask them once.
	Wait time.Duration
}

// ApplicationChange is what may be changed of an application.
type ApplicationChange struct {
	DisplayName string
	Owner       string
	Labels      map[string]string
}

// NewGrant asks for an application's access to an API.
type NewGrant struct {
	API         string
	Environment string
	// Plan, Groups and Roles are the new consumer's.
	Plan   string
	Groups []string
	Roles  []string
	// Scopes, ExpiresAt and Constraints are its first key's.
	Scopes      []string
	ExpiresAt   time.Time
	Constraints *rules.Constraints
}

// Granted is a grant that was just made, with the consumer and the first key.
type Granted struct {
	*consumer.Grant
	Consumer *consumer.Record
	Issued   *Issued
}

// PlanChange is what may be changed of a plan.
type PlanChange struct {
	DisplayName string
	Rates       []consumer.Rate
	Quotas      []consumer.Quota
}

// Import is a consumer with its credentials, as Apply is told of it.
type Import struct {
	Consumer    rules.Consumer
	Credentials []rules.Credential
	// Plan is the one that the consumer is on, if it is to be made or changed
	// with it. Those that share a plan are told the same.
	Plan *consumer.Plan
}

// Outcome tells what Apply did, or would do.
type Outcome struct {
	// Items are in the order of what was told: each consumer, before it its plan
	// if that came with it, then its credentials.
	Items []Item
	// Sequence is that of the change; 0 if nothing was written.
	Sequence consumer.Sequence
}

// Failed reports whether an item was in the way of all.
func (o *Outcome) Failed() bool {
	for _, item := range o.Items {
		if item.Result == Conflict || item.Result == Refused {
			return true
		}
	}
	return false
}

// Result is what became of an item.
type Result string

// The results. Where there is a Conflict or something was Refused, nothing was
// written.
const (
	Created   Result = "created"
	Updated   Result = "updated"
	Unchanged Result = "unchanged"
	// Skipped: it was revoked here, which nothing undoes; the rest goes on.
	Skipped Result = "skipped"
	// Conflict: what is there already is in its way.
	Conflict Result = "conflict"
	// Refused: it is not what a record may be.
	Refused Result = "refused"
)

// Item is one thing of an import.
type Item struct {
	// Kind is "consumer", "credential" or "plan".
	Kind string
	// Consumer is the consumer's name; ID the credential's, where it has one, or
	// the plan's name.
	Consumer, ID string
	// Credential is the kind of a credential.
	Credential access.Kind
	Result     Result
	// Text says why there is a conflict; Problems what was refused.
	Text     string
	Problems []Problem
}

// WarningQuery asks for keys that somebody should look after.
type WarningQuery struct {
	// ExpiresWithin finds credentials that end so soon; UnusedFor those that
	// were not used for so long. 0: neither.
	ExpiresWithin, UnusedFor time.Duration
	// Page bounds each of the two.
	consumer.Page
}

// Warning is a credential that somebody should look after.
type Warning struct {
	*consumer.CredentialRecord
	// Expiring: it ends soon. Unused: it was not used for long.
	Expiring, Unused bool
}

// Verification is what the audit chain was found to be.
type Verification struct {
	// Records is how many are in order, from the first; Head is the hash of the
	// last of them. Who keeps a Head can tell later that nothing was cut off.
	Records int64
	Head    string
	// Broken is the number of the first record that is not in order, with what
	// is wrong with it; 0: all are.
	Broken  int64
	Problem string
}
