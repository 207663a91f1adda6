package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// The defaults of Options, and how long a change waits for this process to have
// applied it.
const (
	defaultPrefix         = "postern"
	defaultGrace          = 30 * 24 * time.Hour
	defaultMaxCredentials = 100
	maxApplied            = 5 * time.Second
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

// New makes a keyring over a ledger, which its caller closes.
func New(ledger consumer.Ledger, o Options) (*Keyring, error) {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.MaxCredentials == 0 {
		o.MaxCredentials = defaultMaxCredentials
	}
	if o.Declared == nil {
		o.Declared = func(string) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.Random = &lockedReader{from: o.Random}
	if _, err := consumer.NewKey(o.Prefix, noEnvironment, o.Random); err != nil {
		return nil, err
	}
	if o.Grace < 0 || o.Grace > maxGrace || o.MaxCredentials < 0 {
		return nil, fmt.Errorf("a grace of %s and a maximum of %d credentials: expected neither to be negative, and a grace of at most %s", o.Grace, o.MaxCredentials, maxGrace)
	}
	return &Keyring{ledger: ledger, options: o}, nil
}

// Also returns a keyring whose every change does something else in the same
// Change, once it knows what it made: the value that the method returns; nil of
// a deletion. An Issued or Granted has no sequence yet. An error undoes all of
// it.
func (k *Keyring) Also(do func(ctx context.Context, w consumer.Writer, made any) error) *Keyring {
	also := *k
	also.also = do
	return &also
}

// change writes, and waits for this process to have applied that. What write
// returns is what it made. It may run more than once.
func (k *Keyring) change(ctx context.Context, by consumer.Author, write func(w consumer.Writer) (made any, err error)) (consumer.Sequence, error) {
	upto, err := k.ledger.Change(ctx, by, func(w consumer.Writer) error {
		made, err := write(w)
		if err == nil && k.also != nil {
			err = k.also(ctx, w, made)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	k.apply(ctx, upto)
	return upto, nil
}

// apply waits for this process, but not for ever: the change is made, and an
// instance that is behind shows in receipts.
func (k *Keyring) apply(ctx context.Context, upto consumer.Sequence) {
	if k.options.Applied == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, maxApplied)
	defer cancel()
	_ = k.options.Applied(bounded, upto)
}

// now is to the microsecond, which every ledger keeps.
func (k *Keyring) now() time.Time { return k.options.Now().UTC().Truncate(time.Microsecond) }

// read reads one thing, or one list of things.
func read[T any](ctx context.Context, k *Keyring, of func(r consumer.Reader) (T, error)) (T, error) {
	var found T
	err := k.ledger.View(ctx, func(r consumer.Reader) (err error) {
		found, err = of(r)
		return err
	})
	return found, err
}

// Remembered finds what was answered to an idempotency key.
func (k *Keyring) Remembered(ctx context.Context, key string) (*consumer.Remembered, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.Remembered, error) { return r.Remembered(ctx, key) })
}

// Instances lists those that were heard of within the last hour.
func (k *Keyring) Instances(ctx context.Context) ([]consumer.Instance, error) {
	return k.ledger.Instances(ctx)
}

// changeable refuses a consumer that files declare.
func (k *Keyring) changeable(name string) error {
	if k.options.Declared(name) {
		return outcome("consumer", name, ErrDeclared)
	}
	return nil
}

// expect holds a record's version against the one that a change was made from.
func expect(kind, name string, has, expected int64) error {
	if expected != 0 && has != expected {
		return outcome(kind, name, consumer.ErrVersion)
	}
	return nil
}

// is reports whether there is what was asked for. An error that says so is
// none.
func is(err error) (bool, error) {
	if errors.Is(err, consumer.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// lockedReader reads randomness for one goroutine at a time.
type lockedReader struct {
	mu   sync.Mutex
	from io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from.Read(p)
}
