package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// maxReference bounds what a store is asked for, in bytes.
const maxReference = 512

// nobody is ErrNotFound with the words for a log.
type nobody string

// Error implements error.
func (n nobody) Error() string { return string(n) }

// Is makes it ErrNotFound.
func (nobody) Is(target error) bool { return target == ErrNotFound }

// Lookup asks a store, but not for what no record can be named: such a
// reference is ErrNotFound at once.
func Lookup(ctx context.Context, store Store, ref Reference) (*Found, error) {
	if ref.Value == "" || len(ref.Value) > maxReference || strings.ContainsFunc(ref.Value, isControl) {
		return nil, ErrNotFound
	}
	return store.Find(ctx, ref)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// OfIssuer finds whom a record ties to a value that an issuer vouches for. With
// ephemeral, a value that no record knows makes a consumer that has nothing but
// that name. A record always counts: a consumer that is disabled does not come
// back as an ephemeral one. ErrNotFound says why nobody is meant.
func OfIssuer(ctx context.Context, store Store, issuer, value string, ephemeral bool) (*Found, error) {
	found, err := Lookup(ctx, store, Reference{Kind: access.KindIssuer, Issuer: issuer, Value: value})
	switch {
	case errors.Is(err, ErrNotFound) && ephemeral:
		return ofName(ctx, store, issuer, value)
	case errors.Is(err, ErrNotFound):
		return nil, nobody(fmt.Sprintf("issuer %s: no consumer has the value %.80q", issuer, value))
	}
	return found, err
}

// ofName makes an ephemeral consumer. It can't take the name of a declared one:
// to the upstream the two would be the same.
func ofName(ctx context.Context, store Store, issuer, name string) (*Found, error) {
	if !ValidName(name) {
		return nil, nobody(fmt.Sprintf("issuer %s: %.80q can't be a consumer's name", issuer, name))
	}
	_, err := Lookup(ctx, store, NameReference(name))
	switch {
	case err == nil:
		return nil, nobody(fmt.Sprintf("issuer %s: %.80q is the name of a declared consumer that the issuer has no credential for", issuer, name))
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	return &Found{
		Consumer:   &access.Consumer{Name: name, Enabled: true, Ephemeral: true},
		Credential: &access.Credential{Kind: access.KindIssuer, Enabled: true},
	}, nil
}
