package access

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that can't be printed: every way of formatting, marshalling
// or logging it yields "[redacted]". The zero value is the empty secret.
type Secret struct{ value string }

// NewSecret wraps a value that must not be printed.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. Its caller must not print or keep it.
func (s Secret) Reveal() []byte { return []byte(s.value) }

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.value == "" }

// Equal compares in time that depends on the lengths alone.
func (s Secret) Equal(value []byte) bool {
	return subtle.ConstantTimeCompare([]byte(s.value), value) == 1
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and so JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
