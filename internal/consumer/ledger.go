package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sequence counts the changes of a Ledger, one for each Change that wrote
// something. Whoever has seen the changes up to a number has missed none before
// it.
type Sequence int64

// The outcomes of reading and writing a Ledger that callers tell apart.
// ErrNotFound is another one. Anything else is a fault.
var (
	// ErrExists: the name, id or reference is taken.
	ErrExists = errors.New("exists already")
	// ErrVersion: the record was changed since it was read.
	ErrVersion = errors.New("was changed meanwhile")
	// ErrFull: there is no room to write; reading goes on.
	ErrFull = errors.New("the store has no room left")
	// ErrUnavailable: the store can't be reached, or is not up to it now.
	ErrUnavailable = errors.New("the store is not available")
)

// Ledger is a Store that can be written. Writing and following it is not on a
// request's way.
type Ledger interface {
	Store
	// View reads, and sees one state all along.
	View(ctx context.Context, read func(Reader) error) error
	// Change writes all that write does, or nothing if it returns an error. What
	// was written is safe once Change has returned its sequence. A write that
	// changes nothing returns the last sequence.
	Change(ctx context.Context, by Author, write func(Writer) error) (Sequence, error)
	// Follow hands on every change after a sequence, in order and without gaps,
	// until ctx ends. It hands on an empty Changes at once and then at least
	// every second in which the Ledger was reached: "nothing after this
	// sequence, as of now". When the Ledger can't be reached it says nothing and
	// tries again.
	Follow(ctx context.Context, after Sequence, apply func(Changes)) error
	// Head is the last sequence.
	Head(ctx context.Context) (Sequence, error)
	// Beat tells that an instance lives, and what it has applied. Instances that
	// were not heard of for an hour are dropped.
	Beat(ctx context.Context, i Instance) error
	// Leave takes an instance that ends out of the list.
	Leave(ctx context.Context, id string) error
	Instances(ctx context.Context) ([]Instance, error)
	// Used notes when credentials were last used, by id. It is no change: it
	// moves neither versions nor the sequence.
	Used(ctx context.Context, at map[string]time.Time) error
	Close() error
}

// Changes are changes up to a sequence.
type Changes struct {
	// Upto is the last sequence that this includes.
	Upto Sequence
	// Consumers are the names of those that may answer otherwise than before.
	Consumers []string
	// All: more than can be named.
	All bool
}

// Page asks for the part of a list that comes after a name or id.
type Page struct {
	After string
	// Limit is 1 to 1000.
	Limit int
}

// CredentialQuery says which credentials are listed, in the order of their ids.
// Empty fields ask for any.
type CredentialQuery struct {
	Consumer string
	// Prefix is the beginning of a key's Prefix; Label is exact.
	Prefix, Label string
	// Kind, if not empty.
	Kind string
	// ExpiresBefore finds those that end before it; UnusedSince those that were
	// neither used nor made after it. Revoked ones are in neither.
	ExpiresBefore, UnusedSince time.Time
	Page
}

// ConsumerQuery says which consumers are listed, in the order of their names in
// lower case.
type ConsumerQuery struct {
	Environment string
	// Prefix is the beginning of the name, in any case.
	Prefix string
	// Label is "name" or "name=value".
	Label string
	// Plan is the name of their plan, in any case.
	Plan string
	Page
}

// Reader reads what a Ledger holds. A name or id that there is not is an error
// that is ErrNotFound.
type Reader interface {
	// Store finds in the state that the Reader sees. Whoever writes asks it who
	// holds a reference, and whether a secret is the same.
	Store
	Consumer(ctx context.Context, name string) (*Record, error)
	Consumers(ctx context.Context, q ConsumerQuery) ([]*Record, error)
	Credential(ctx context.Context, id string) (*CredentialRecord, error)
	Credentials(ctx context.Context, q CredentialQuery) ([]*CredentialRecord, error)
	Application(ctx context.Context, name string) (*Application, error)
	Applications(ctx context.Context, p Page) ([]*Application, error)
	Grant(ctx context.Context, id string) (*Grant, error)
	// Grants lists those of an application, or all.
	Grants(ctx context.Context, application string, p Page) ([]*Grant, error)
	Plan(ctx context.Context, name string) (*Plan, error)
	Plans(ctx context.Context, p Page) ([]*Plan, error)
	// Audit lists records by number, from the first after a number; with a
	// target, only its own.
	Audit(ctx context.Context, after int64, limit int, target string) ([]*AuditRecord, error)
	// AuditEnd is the end of the audit chain as it was last written.
	AuditEnd(ctx context.Context) (Chain, error)
	// Remembered finds what was answered to an idempotency key, until it ends.
	Remembered(ctx context.Context, key string) (*Remembered, error)
}

// Writer writes. Inserts set the stamp; updates and deletions with a version
// other than 0 fail with ErrVersion unless the record still has it. Every write
// of a consumer or credential is told to those who follow.
type Writer interface {
	Reader
	InsertConsumer(ctx context.Context, r *Record) error
	UpdateConsumer(ctx context.Context, r *Record) error
	// DeleteConsumer deletes its credentials, too.
	DeleteConsumer(ctx context.Context, name string, version int64) error
	// InsertCredential takes Secret, Password and Reference as they are.
	InsertCredential(ctx context.Context, c *CredentialRecord) error
	// UpdateCredential leaves Reference, Secret, Password and LastUsedAt as they
	// were.
	UpdateCredential(ctx context.Context, c *CredentialRecord) error
	DeleteCredential(ctx context.Context, id string, version int64) error
	InsertApplication(ctx context.Context, a *Application) error
	UpdateApplication(ctx context.Context, a *Application) error
	DeleteApplication(ctx context.Context, name string, version int64) error
	InsertGrant(ctx context.Context, g *Grant) error
	DeleteGrant(ctx context.Context, id string, version int64) error
	InsertPlan(ctx context.Context, p *Plan) error
	UpdatePlan(ctx context.Context, p *Plan) error
	DeletePlan(ctx context.Context, name string, version int64) error
	// Note adds to the audit chain. It sets number, sequence, time, author,
	// Previous and Hash, which is AuditRecord.Sum.
	Note(ctx context.Context, a *AuditRecord) error
	Remember(ctx context.Context, r *Remembered) error
}

// Outcome is a sentinel error about one thing.
type Outcome struct {
	// Kind is "consumer", "credential", "application", "grant", "plan" or
	// "reference", or "key", which has no Name; else that is its name or id, never
	// a secret.
	Kind, Name string
	Err        error
}

// Error implements error.
func (o *Outcome) Error() string {
	if errors.Is(o.Err, ErrNotFound) {
		return fmt.Sprintf("there is no %s %.80q", o.Kind, o.Name)
	}
	if o.Name == "" { // an API key has nothing that may be shown
		return fmt.Sprintf("the %s %v", o.Kind, o.Err)
	}
	return fmt.Sprintf("the %s %.80q %v", o.Kind, o.Name, o.Err)
}

// Unwrap implements errors.Unwrap.
func (o *Outcome) Unwrap() error { return o.Err }
