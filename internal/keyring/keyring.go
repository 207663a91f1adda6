package keyring

import (
	"context"
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// Keyring makes, changes and ends consumers, credentials, applications, grants
// and plans. It is used by many goroutines at once.
//
// A version of 0 is any. A change whose record was changed since its version
// fails with consumer.ErrVersion; one that finds everything as it is meant to
// be writes nothing.
type Keyring struct {
	ledger  consumer.Ledger
	options Options
	also    func(ctx context.Context, w consumer.Writer, made any) error
}

var errSoon = errors.New("not yet")

// New makes a keyring over a ledger, which its caller closes.
func New(ledger consumer.Ledger, o Options) (*Keyring, error) {
	return &Keyring{ledger: ledger, options: o}, nil
}

// Also returns a keyring whose every change does something else in the same
// Change, once it knows what it made: the value that the method returns. An
// error undoes all of it.
func (k *Keyring) Also(do func(ctx context.Context, w consumer.Writer, made any) error) *Keyring {
	also := *k
	also.also = do
	return &also
}

// Remembered finds what was answered to an idempotency key.
func (k *Keyring) Remembered(ctx context.Context, key string) (*consumer.Remembered, error) {
	return nil, errSoon
}

// CreateConsumer makes a consumer.
func (k *Keyring) CreateConsumer(ctx context.Context, by consumer.Author, c rules.Consumer) (*consumer.Record, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// Consumer finds one by name.
func (k *Keyring) Consumer(ctx context.Context, name string) (*consumer.Record, error) {
	return nil, errSoon
}

// Consumers lists.
func (k *Keyring) Consumers(ctx context.Context, q consumer.ConsumerQuery) ([]*consumer.Record, error) {
	return nil, errSoon
}

// UpdateConsumer hands the consumer as it is declared now to change, and writes
// what that made of it. The name stays.
func (k *Keyring) UpdateConsumer(ctx context.Context, by consumer.Author, name string, version int64, change func(*rules.Consumer) error) (*consumer.Record, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// EnableConsumer lets its credentials count again.
func (k *Keyring) EnableConsumer(ctx context.Context, by consumer.Author, name string, version int64) (*consumer.Record, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DisableConsumer lets none of its credentials count.
func (k *Keyring) DisableConsumer(ctx context.Context, by consumer.Author, name string, version int64) (*consumer.Record, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DeleteConsumer deletes it with its credentials.
func (k *Keyring) DeleteConsumer(ctx context.Context, by consumer.Author, name string, version int64) (consumer.Sequence, error) {
	return 0, errSoon
}

// CreateCredential makes a credential of any kind. An API key without Key and
// KeySHA256 is made here.
func (k *Keyring) CreateCredential(ctx context.Context, by consumer.Author, owner string, c rules.Credential) (*Issued, error) {
	return nil, errSoon
}

// Credential finds one by id.
func (k *Keyring) Credential(ctx context.Context, id string) (*consumer.CredentialRecord, error) {
	return nil, errSoon
}

// Credentials lists.
func (k *Keyring) Credentials(ctx context.Context, q consumer.CredentialQuery) ([]*consumer.CredentialRecord, error) {
	return nil, errSoon
}

// UpdateCredential hands the settings as they are now to change, and writes
// what that made of them.
func (k *Keyring) UpdateCredential(ctx context.Context, by consumer.Author, id string, version int64, change func(*Settings) error) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// EnableCredential lets it count again, unless it was revoked.
func (k *Keyring) EnableCredential(ctx context.Context, by consumer.Author, id string, version int64) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DisableCredential lets it not count until it is enabled.
func (k *Keyring) DisableCredential(ctx context.Context, by consumer.Author, id string, version int64) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DeleteCredential deletes it.
func (k *Keyring) DeleteCredential(ctx context.Context, by consumer.Author, id string, version int64) (consumer.Sequence, error) {
	return 0, errSoon
}

// Rotate makes a key's successor.
func (k *Keyring) Rotate(ctx context.Context, by consumer.Author, id string, r Rotation) (*Issued, error) {
	return nil, errSoon
}

// Revoke ends a credential for good. One that was revoked already stays as it
// is, with its first reason.
func (k *Keyring) Revoke(ctx context.Context, by consumer.Author, id string, r Revocation) (*consumer.CredentialRecord, *Receipt, error) {
	return nil, nil, errSoon
}

// Await tells which live instances have applied a change, waiting for them.
func (k *Keyring) Await(ctx context.Context, upto consumer.Sequence, wait time.Duration) *Receipt {
	return nil
}

// Instances lists those that were heard of within the last hour.
func (k *Keyring) Instances(ctx context.Context) ([]consumer.Instance, error) {
	return nil, errSoon
}

// CreateApplication makes an application.
func (k *Keyring) CreateApplication(ctx context.Context, by consumer.Author, name string, a ApplicationChange) (*consumer.Application, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// Application finds one by name.
func (k *Keyring) Application(ctx context.Context, name string) (*consumer.Application, error) {
	return nil, errSoon
}

// Applications lists.
func (k *Keyring) Applications(ctx context.Context, p consumer.Page) ([]*consumer.Application, error) {
	return nil, errSoon
}

// UpdateApplication hands the application as it is now to change, and writes
// what that made of it.
func (k *Keyring) UpdateApplication(ctx context.Context, by consumer.Author, name string, version int64, change func(*ApplicationChange) error) (*consumer.Application, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DeleteApplication deletes it. One with grants is an ErrState unless cascade
// takes these away, too.
func (k *Keyring) DeleteApplication(ctx context.Context, by consumer.Author, name string, version int64, cascade bool) (consumer.Sequence, error) {
	return 0, errSoon
}

// CreateGrant makes a grant, its consumer and its first key.
func (k *Keyring) CreateGrant(ctx context.Context, by consumer.Author, application string, g NewGrant) (*Granted, error) {
	return nil, errSoon
}

// Grant finds one of an application's; an empty application is any.
func (k *Keyring) Grant(ctx context.Context, application, id string) (*consumer.Grant, error) {
	return nil, errSoon
}

// Grants lists those of an application, or all.
func (k *Keyring) Grants(ctx context.Context, application string, p consumer.Page) ([]*consumer.Grant, error) {
	return nil, errSoon
}

// DeleteGrant takes the grant away with its consumer and keys. An empty
// application is any.
func (k *Keyring) DeleteGrant(ctx context.Context, by consumer.Author, application, id string, version int64) (consumer.Sequence, error) {
	return 0, errSoon
}

// CreatePlan makes a plan.
func (k *Keyring) CreatePlan(ctx context.Context, by consumer.Author, name string, p PlanChange) (*consumer.Plan, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// Plan finds one by name.
func (k *Keyring) Plan(ctx context.Context, name string) (*consumer.Plan, error) {
	return nil, errSoon
}

// Plans lists.
func (k *Keyring) Plans(ctx context.Context, p consumer.Page) ([]*consumer.Plan, error) {
	return nil, errSoon
}

// UpdatePlan hands the plan as it is now to change, and writes what that made
// of it.
func (k *Keyring) UpdatePlan(ctx context.Context, by consumer.Author, name string, version int64, change func(*PlanChange) error) (*consumer.Plan, consumer.Sequence, error) {
	return nil, 0, errSoon
}

// DeletePlan deletes it. One that consumers are on is an ErrState.
func (k *Keyring) DeletePlan(ctx context.Context, by consumer.Author, name string, version int64) (consumer.Sequence, error) {
	return 0, errSoon
}

// Audit lists records after a number; with a target, only its own.
func (k *Keyring) Audit(ctx context.Context, after int64, limit int, target string) ([]*consumer.AuditRecord, error) {
	return nil, errSoon
}

// VerifyAudit walks the whole chain.
func (k *Keyring) VerifyAudit(ctx context.Context) (*Verification, error) {
	return nil, errSoon
}

// Warnings lists credentials that somebody should look after, by id.
func (k *Keyring) Warnings(ctx context.Context, q WarningQuery) ([]*Warning, error) {
	return nil, errSoon
}

// Apply makes the records what it is told, in one change: it creates what there
// is not, updates what differs and leaves alone what is equal, and takes
// nothing away. If any item fails, nothing is written and the Outcome says
// what failed; the error is a fault. With dryRun nothing is written at all.
func (k *Keyring) Apply(ctx context.Context, by consumer.Author, imports []Import, dryRun bool) (*Outcome, error) {
	return nil, errSoon
}
