package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/postern-authz/postern/internal/claims"
)

// discoverySource finds the set through the issuer's metadata (OpenID Connect
// Discovery 1.0 section 4), anew each time: an issuer that moves its keys, or
// turns into another, is noticed.
type discoverySource struct {
	client *http.Client
	issuer string
}

func (s discoverySource) String() string {
	return strings.TrimSuffix(s.issuer, "/") + "/.well-known/openid-configuration"
}

func (s discoverySource) read(ctx context.Context) ([]byte, error) {
	text, err := fetch(ctx, s.client, s.String())
	if err != nil {
		return nil, err
	}
	address, err := s.keysAt(text)
	if err != nil {
		return nil, fmt.Errorf("discovery at %s: %w", s, err)
	}
	return fetch(ctx, s.client, address)
}

// keysAt takes jwks_uri from metadata that are the issuer's own (section 4.3).
func (s discoverySource) keysAt(text []byte) (string, error) {
	metadata, err := claims.ReadObject(string(text))
	if err != nil {
		return "", err
	}
	if issuer, ok := metadata["issuer"].(string); !ok || issuer != s.issuer {
		return "", fmt.Errorf("issuer is %.200q, expected %q to the byte", issuer, s.issuer)
	}
	address, _ := metadata["jwks_uri"].(string)
	if err := checkURL(address); err != nil {
		return "", prefixed("jwks_uri", err)
	}
	if downgrades(s.issuer, address) {
		return "", errors.New("jwks_uri: expected https, as the issuer's is")
	}
	return address, nil
}
