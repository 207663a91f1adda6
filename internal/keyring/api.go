package keyring

import (
	"context"
	"io"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Options say how keys are made and how long they live. The zero value takes
// every default that is named.
type Options struct {
	// Prefix begins every key; empty: "postern".
	Prefix string
	// Grace is how long a rotated key still counts; 0: 30 days.
	Grace time.Duration
	// MaxCredentials bounds the credentials of one consumer that are neither
	// revoked nor expired; 0: 100.
	MaxCredentials int
	// Environments are those that keys may be made for; none: any.
	Environments []string
	// Declared reports whether files declare a consumer of that name, whatever
	// its case: it can't be changed here, nor taken. Nil: none is declared.
	Declared func(name string) bool
	// Issuers are the configured issuers' names; nil: any may be named.
	Issuers func() []string
	// Plans reports whether the configuration declares a plan of that name; nil:
	// it declares none. Plans in the Ledger need not be told.
	Plans func(name string) bool
	// Applied waits until this process has applied a change; nil: nobody serves
	// in this process.
	Applied func(ctx context.Context, upto consumer.Sequence) error
	Now     func() time.Time
	Random  io.Reader
}

// Issued is a credential that was just made.
type Issued struct {
	*consumer.CredentialRecord
	// Key is the key itself, shown this once; empty for kinds without a key of
	// our making.
	Key access.Secret
	// Sequence is that of the change.
	Sequence consumer.Sequence
}

// Receipt tells who has applied a change.
type Receipt struct {
	Sequence consumer.Sequence
	// Instances are those that were live when the change was made, and those that
	// have been silent for a while and may run all the same.
	Instances []Acknowledgement
	// Complete: all of them have applied it.
	Complete bool
}

// Acknowledgement is one instance's part of a receipt.
type Acknowledgement struct {
	ID, Name string
	Applied  consumer.Sequence
	// Done: it has applied the change.
	Done bool
}
