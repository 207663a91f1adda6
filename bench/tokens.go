package main

import (
	"crypto/rsa"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/errgroup"
)

// signTokens makes tokens of the example's issuer that differ in their `jti`
// alone. They are signed before anything is measured.
func signTokens(keyFile string, n int, now time.Time) ([]string, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	tokens := make([]string, n)
	var signers errgroup.Group
	signers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range tokens {
		signers.Go(func() (err error) {
			tokens[i], err = signToken(key, i, now)
			return err
		})
	}
	return tokens, signers.Wait()
}

// signToken makes a token as Keycloak does for a client's own credentials.
func signToken(key *rsa.PrivateKey, i int, now time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": "https://id.example.com/realms/shop", "aud": "orders-api", "azp": "mobile-app", "client_id": "mobile-app",
		"sub": "7f3c1d52-5a0e-4a53-9d53-2f1f0a4f8a11", "typ": "Bearer", "jti": "trrtcc:" + strconv.Itoa(i),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "acr": "1", "scope": "orders:read email profile",
		"realm_access":    map[string]any{"roles": []string{"offline_access", "uma_authorization", "reader"}},
		"resource_access": map[string]any{"orders-api": map[string]any{"roles": []string{"reader"}}},
		"clientHost":      "203.0.113.77", "clientAddress": "203.0.113.77", "preferred_username": "service-account-mobile-app",
	})
	token.Header["kid"] = "shop-rs256"
	return token.SignedString(key)
}
