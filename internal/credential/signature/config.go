package signature

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/canon"
)

// Dialect is a form of signed requests, named as in configuration.
type Dialect string

// The dialects.
const (
	Plain  Dialect = "plain"
	APISIX Dialect = "apisix"
	Kong   Dialect = "kong"
)

// Dialects lists every dialect.
func Dialects() []Dialect { return []Dialect{Plain, APISIX, Kong} }

const (
	// DefaultClockSkew is that of APISIX and Kong.
	DefaultClockSkew = 5 * time.Minute
	// MaxClockSkew bounds how long a signature is good for and so how many of
	// them are remembered.
	MaxClockSkew = 15 * time.Minute
)

// Config says which signed requests are believed. Its zero value believes
// every dialect and is strict in all else.
type Config struct {
	// Dialects are those that are read; none means all. Without Plain,
	// X-Signature is a header like any other.
	Dialects []Dialect
	// Realm names the protected space to clients (RFC 9110 section 11.5).
	Realm string
	// ClockSkew is how far a request's date may be from our clock, either way;
	// 0 means DefaultClockSkew.
	ClockSkew time.Duration
	// RaisableTo is the highest clock skew that later rules over the same Nonces
	// may have: a signature is remembered for as long as it would be good under
	// that. Less than ClockSkew means ClockSkew.
	RaisableTo time.Duration
	// RequiredHeaders must be among the signed ones, beside the date and the
	// request target, such as "host". They do not apply to Plain, which signs no
	// headers.
	RequiredHeaders []string
	// DangerouslyRepeatable are the dialects whose requests may be repeated
	// while their date is good. It is never true of Plain, which has a nonce.
	DangerouslyRepeatable []Dialect
	// DangerouslyUnsignedTarget believes a request whose method and path are
	// not signed: it can be turned into any other.
	DangerouslyUnsignedTarget bool
	// DangerouslyUnsignedBody believes a request whose body is not covered by a
	// signed digest, or was not passed to us: anyone on the way can replace it.
	// A body that is passed whole must still match a digest that is signed.
	// Plain signs the body itself; nothing changes for it.
	DangerouslyUnsignedBody bool
	// Environments are the environments whose consumers are believed; none
	// means that all are.
	Environments []string
}

// Check tells everything that is wrong with a configuration.
func (c Config) Check() error {
	var errs []error
	for _, d := range slices.Concat(c.Dialects, c.DangerouslyRepeatable) {
		if !slices.Contains(Dialects(), d) {
			errs = append(errs, fmt.Errorf("%q is no dialect of signed requests, expected one of %q", d, Dialects()))
		}
	}
	if slices.Contains(c.DangerouslyRepeatable, Plain) {
		errs = append(errs, errors.New("a request of the plain dialect has a nonce and can't be repeatable"))
	}
	if c.ClockSkew < 0 || c.ClockSkew > MaxClockSkew {
		errs = append(errs, fmt.Errorf("the clock skew is %s, expected at most %s", c.ClockSkew, MaxClockSkew))
	}
	for _, name := range c.RequiredHeaders {
		if _, err := canon.HeaderName(name); err != nil {
			errs = append(errs, fmt.Errorf("required header %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// settled fills in what is left out, and keeps the bounds that Check tells of.
func (c Config) settled() Config {
	if len(c.Dialects) == 0 {
		c.Dialects = Dialects()
	}
	if c.ClockSkew <= 0 {
		c.ClockSkew = DefaultClockSkew
	}
	c.ClockSkew = min(c.ClockSkew, MaxClockSkew)
	c.RaisableTo = min(max(c.RaisableTo, c.ClockSkew), MaxClockSkew)
	return c
}
