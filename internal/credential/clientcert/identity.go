package clientcert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/consumer"
)

// proven is an identity and when it ends, by the wall clock.
type proven struct {
	identity *access.Identity
	ends     time.Time
}

// identify says whose certificate it is, from memory where it can. Who asks why
// gets the whole story told anew.
func (a *Authenticator) identify(ctx context.Context, seen shown, why *access.Explanation) (*access.Identity, error) {
	if why.On() {
		whole := seen // so that seen itself stays off the heap
		p, err := a.prove(ctx, &whole, why)
		return p.identity, err
	}
	name := cache.Digest(string(access.KindClientCertificate), a.scope, seen.certificate, seen.principal, seen.element, seen.cert, seen.chain)
	if identity, err, ok := a.cache.Get(name); ok {
		return identity, err
	}
	return a.fetch(ctx, name, seen)
}

func (a *Authenticator) fetch(ctx context.Context, name cache.Key, seen shown) (*access.Identity, error) {
	return a.cache.Fetch(ctx, name, func(ctx context.Context) (cache.Loaded[*access.Identity], error) {
		p, err := a.prove(ctx, &seen, nil)
		return cache.Loaded[*access.Identity]{Value: p.identity, Expires: p.ends, Cost: cost}, err
	})
}

// cost guesses the bytes that an identity holds: a struct, whose parts are the
// store's.
const cost = 512

// prove is the story of a certificate that is not remembered. Whom it names
// comes before whether it is good, so that one which names nobody is no more
// than unknown; it is called expired only when all else about it is good.
func (a *Authenticator) prove(ctx context.Context, seen *shown, why *access.Explanation) (proven, error) {
	told, err := gather(seen)
	if err != nil {
		return proven{}, err
	}
	if why.On() {
		why.Note("authenticate", "client_certificate: "+told.source+" tells of "+strings.Join(told.names, " "))
	}
	found, err := a.find(ctx, told)
	if err != nil {
		return proven{}, err
	}
	ends, err := a.judge(found, told.leaf)
	if err != nil {
		return proven{}, err
	}
	now := a.now()
	chainEnds, err := a.verify(told, now, ends)
	if err != nil {
		return proven{}, err
	}
	ends = sooner(ends, chainEnds)
	if !ends.IsZero() && !now.Before(ends) {
		return proven{}, access.Expired("certificate or credential of consumer " + found[0].Consumer.Name + " expired at " + ends.UTC().Format(time.RFC3339))
	}
	return proven{found[0].Identity(), ends}, nil
}

// find looks every name up. All that is found has to be one consumer's.
func (a *Authenticator) find(ctx context.Context, told *evidence) ([]*consumer.Found, error) {
	var all []*consumer.Found
	for _, name := range told.names {
		found, err := a.store.Find(ctx, consumer.Reference{Kind: access.KindClientCertificate, Value: name})
		switch {
		case errors.Is(err, consumer.ErrNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("finding a client certificate: %w", err)
		case len(all) > 0 && all[0].Consumer.Name != found.Consumer.Name:
			return nil, access.Invalid("the certificate has names of the consumers " + all[0].Consumer.Name + " and " + found.Consumer.Name)
		}
		all = append(all, found)
	}
	if len(all) == 0 {
		return nil, unknown{access.Unknown("unknown certificate, told by " + told.source)}
	}
	return all, nil
}

// judge rejects what is disabled, and returns the first moment at which one of
// the credentials or the certificate has ended; zero is never.
func (a *Authenticator) judge(all []*consumer.Found, leaf *x509.Certificate) (ends time.Time, err error) {
	if leaf != nil {
		ends = after(leaf)
	}
	for _, found := range all {
		if rejection := found.JudgeButTime(a.config.Environments); rejection != nil {
			return ends, rejection
		}
		ends = sooner(ends, found.Credential.ExpiresAt)
	}
	return ends, nil
}

// sooner is the first of two ends; a zero end is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// unknown is the rejection of a certificate that leads to no consumer. The
// cache remembers it as any rejection.
type unknown struct{ *access.Rejection }

// Unwrap shows the rejection.
func (u unknown) Unwrap() error { return u.Rejection }

// passing is a rejection that is wrong a moment later, by itself. It hides that
// it is one until it is past the cache, which remembers rejections.
type passing struct{ rejection *access.Rejection }

// Error implements error.
func (p passing) Error() string { return p.rejection.Error() }

// settle turns the room's own errors into what the gate knows.
func (a *Authenticator) settle(err error) error {
	var stranger unknown
	var later passing
	switch {
	case errors.As(err, &later):
		return later.rejection
	case !errors.As(err, &stranger):
		return err
	case a.config.Unknown == UnknownIgnore:
		return access.ErrNoCredential
	}
	return stranger.Rejection
}
