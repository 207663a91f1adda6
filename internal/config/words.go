package config

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/introspect"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/strictyaml"
)

const (
	second        = strictyaml.Duration(time.Second)
	authorization = "Authorization"
	bearerScheme  = "Bearer"
	faultDeny     = "deny"
	faultError    = "error"

	anonymousAllow = "allow"
	anonymousDeny  = "deny"

	sqlite   = "sqlite"
	postgres = "postgres"
)

// Words of the format. Each is one of its words(), which are in the schema too.
type (
	kind          access.Kind
	anonymous     string
	faultResponse string
	preset        string
	logLevel      string
	logFormat     string
	dialect       signature.Dialect
	unknown       clientcert.Unknown
	clientAuth    string
	driver        string
	role          string
	entrypoint    string
)

func (kind) words() []string {
	return []string{
		string(access.KindAPIKey), string(access.KindSignature), string(access.KindJWT), string(access.KindBasic),
		string(access.KindClientCertificate), string(access.KindIntrospection),
	}
}
func (anonymous) words() []string     { return []string{anonymousAllow, anonymousDeny} }
func (faultResponse) words() []string { return []string{faultDeny, faultError} }
func (preset) words() []string        { return []string{"apisix", "kong"} }
func (logLevel) words() []string      { return []string{"debug", "info", "warn", "error"} }
func (logFormat) words() []string     { return []string{"json", "text"} }
func (dialect) words() []string {
	return []string{string(signature.Plain), string(signature.APISIX), string(signature.Kong)}
}

func (unknown) words() []string {
	return []string{string(clientcert.UnknownReject), string(clientcert.UnknownIgnore)}
}
func (clientAuth) words() []string { return []string{introspect.BasicAuth, introspect.PostAuth} }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *kind) UnmarshalText(text []byte) error { return oneOf(k, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *dialect) UnmarshalText(text []byte) error { return oneOf(d, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *unknown) UnmarshalText(text []byte) error { return oneOf(u, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *clientAuth) UnmarshalText(text []byte) error { return oneOf(a, text) }

func (driver) words() []string { return []string{sqlite, postgres} }
func (role) words() []string   { return []string{"viewer", "editor", "admin"} }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *driver) UnmarshalText(text []byte) error { return oneOf(d, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *role) UnmarshalText(text []byte) error { return oneOf(r, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *anonymous) UnmarshalText(text []byte) error { return oneOf(a, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *faultResponse) UnmarshalText(text []byte) error { return oneOf(f, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *preset) UnmarshalText(text []byte) error {
	if err := oneOf(p, text); err != nil {
		return errors.New("expected " + (&headers{}).Expected())
	}
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *logLevel) UnmarshalText(text []byte) error { return oneOf(l, text) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *logFormat) UnmarshalText(text []byte) error { return oneOf(f, text) }

// worded is a type that has a few words only.
type worded interface{ words() []string }

func oneOf[T interface {
	~string
	worded
}](into *T, text []byte) error {
	words := (*into).words()
	if !slices.Contains(words, string(text)) {
		return errors.New("expected " + strings.Join(words, " or "))
	}
	*into = T(text)
	return nil
}

// entrypointForm is a package and a rule, as OPA names documents beneath data.
const entrypointForm = `^[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)+$`

var entrypointPattern = regexp.MustCompile(entrypointForm)

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *entrypoint) UnmarshalText(text []byte) error {
	if !entrypointPattern.Match(text) || len(text) > 256 {
		return errors.New("expected a rule with its package, such as postern/authz/allow")
	}
	*e = entrypoint(text)
	return nil
}

func loopback() []strictyaml.Network {
	return []strictyaml.Network{
		strictyaml.Network(netip.MustParsePrefix("127.0.0.0/8")),
		strictyaml.Network(netip.MustParsePrefix("::1/128")),
	}
}
