package cases

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384 and SHA512
)

// Token is a token to make for a request.
type Token struct {
	// Of is whose token it is meant to be: shop (the issuer's, for the mobile
	// app) or mobile (the consumer's own). It sets the key, the algorithm, the
	// header and the claims; the rest changes them.
	Of string `yaml:"of"`
	// Key signs: shop-rs256, shop-es256, mobile-secret, or what an attacker
	// has: no-secret, rs256-public (the issuer's public key, as PEM, for a
	// secret), another-rsa.
	Key string `yaml:"key"`
	// Alg is both written and signed with; none signs nothing.
	Alg string `yaml:"alg"`
	// Header and Claims replace members; null takes one away. ${now}, ${now+N}
	// and ${now-N} are seconds.
	Header map[string]any `yaml:"header"`
	Claims map[string]any `yaml:"claims"`
	// RawHeader and RawClaims stand in place of the whole JSON.
	RawHeader string `yaml:"raw_header"`
	RawClaims string `yaml:"raw_claims"`
	// Spoil does something to the finished token: flip (a bit of the signature),
	// cut (the signature's text), pad (with "="), loose (sets unused bits of the
	// last letter), dot (adds a part).
	Spoil string `yaml:"spoil"`
	// Raw is the whole token, as it is.
	Raw string `yaml:"raw"`
}

// Maker makes tokens with the demonstration's keys.
type Maker struct {
	rsa, other *rsa.PrivateKey
	ecdsa      *ecdsa.PrivateKey
	now        func() time.Time
}

// NewMaker reads the keys of a directory (test/keys). Tokens are as of now when
// they are made.
func NewMaker(keys string, now func() time.Time) (*Maker, error) {
	m := &Maker{now: now}
	var err error
	var ok bool
	rs, err := readKey(filepath.Join(keys, "shop-rs256.pem"))
	if err != nil {
		return nil, err
	}
	es, err := readKey(filepath.Join(keys, "shop-es256.pem"))
	if err != nil {
		return nil, err
	}
	if m.rsa, ok = rs.(*rsa.PrivateKey); !ok {
		return nil, fmt.Errorf("shop-rs256.pem holds a %T", rs)
	}
	if m.ecdsa, ok = es.(*ecdsa.PrivateKey); !ok {
		return nil, fmt.Errorf("shop-es256.pem holds a %T", es)
	}
	m.other, err = rsa.GenerateKey(rand.Reader, 2048)
	return m, err
}

func readKey(path string) (any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM", path)
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

// Ready is a request with everything in its place.
type Ready struct {
	Request
	// Lines are all header lines.
	Lines []Line
	// Certificate is the client's, as PEM; empty: it showed none.
	Certificate string
}

// Make makes a request ready to be sent once: what it signs holds once.
func (m *Maker) Make(r *Request) (*Ready, error) {
	ready := &Ready{Request: *r}
	made := map[string]string{}
	var err error
	if ready.Path, err = Expand(r.Path); err != nil {
		return nil, err
	}
	if r.Token != nil {
		if made["token"], err = m.Token(r.Token); err != nil {
			return nil, err
		}
	}
	if r.Certificate != nil {
		if ready.Certificate, err = m.certificate(r.Certificate); err != nil {
			return nil, err
		}
		written, err := forms(ready.Certificate)
		if err != nil {
			return nil, err
		}
		maps.Copy(made, written)
	}
	ready.Lines, err = m.lines(&ready.Request, made)
	return ready, err
}

func (m *Maker) lines(r *Request, made map[string]string) ([]Line, error) {
	var lines []Line
	used := r.Token == nil
	for _, line := range r.Headers {
		used = used || strings.Contains(line[1], "${token}")
		value, err := expand(line[1], made)
		if err != nil {
			return nil, err
		}
		lines = append(lines, Line{line[0], value})
	}
	if !used {
		lines = append(lines, Line{"Authorization", "Bearer " + made["token"]})
	}
	if r.Sign == nil {
		return lines, nil
	}
	signature, err := m.signatureLines(r.Sign, r)
	return append(lines, signature...), err
}

// Token makes one token.
func (m *Maker) Token(t *Token) (string, error) {
	if t.Raw != "" {
		return Expand(t.Raw)
	}
	key, alg, header, claims, err := t.defaults()
	if err != nil {
		return "", err
	}
	head, err := m.part(t.RawHeader, header, t.Header)
	if err != nil {
		return "", err
	}
	body, err := m.part(t.RawClaims, claims, t.Claims)
	if err != nil {
		return "", err
	}
	input := encode(head) + "." + encode(body)
	signature, err := m.sign(key, alg, input)
	if err != nil {
		return "", err
	}
	return spoil(t.Spoil, input, signature)
}

func (t *Token) defaults() (key, alg string, header, claims map[string]any, err error) {
	header = map[string]any{"typ": "JWT"}
	claims = map[string]any{"iat": "${now}", "exp": "${now+300}"}
	switch t.Of {
	case "shop":
		key, alg = "shop-rs256", "RS256"
		claims["iss"], claims["aud"], claims["azp"] = "https://id.example.com/realms/shop", "orders-api", "mobile-app"
		claims["sub"] = "5bd1a0c1-4b4f-4c57-9f6f-0b1c4a5c7f11"
	case "mobile":
		key, alg = "mobile-secret", "HS256"
		claims["iss"] = "mobile-issuer"
	default:
		return "", "", nil, nil, fmt.Errorf("a token of %q is unknown", t.Of)
	}
	if t.Key != "" {
		key = t.Key
	}
	if strings.HasPrefix(key, "shop-") {
		header["kid"], alg = key, map[string]string{"shop-rs256": "RS256", "shop-es256": "ES256"}[key]
	}
	if t.Alg != "" {
		alg = t.Alg
	}
	header["alg"] = alg
	return key, alg, header, claims, nil
}

// part writes a header or claims as JSON.
func (m *Maker) part(raw string, members, changes map[string]any) ([]byte, error) {
	if raw != "" {
		text, err := Expand(m.times(raw))
		return []byte(text), err
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(name string, _ any) bool { v, changed := changes[name]; return changed && v == nil })
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	// A string that is a time alone is a number.
	unquoted := quotedTime.ReplaceAllString(string(text), "$1")
	unquoted, err = Expand(m.times(unquoted))
	return []byte(unquoted), err
}

var (
	quotedTime = regexp.MustCompile(`"(\$\{now[^}]*\})"`)
	timeWord   = regexp.MustCompile(`\$\{now([+-]\d+)?\}`)
)

func (m *Maker) times(text string) string {
	return timeWord.ReplaceAllStringFunc(text, func(word string) string {
		shift, _ := strconv.ParseInt(word[len("${now"):len(word)-1], 10, 64) // "" is 0
		return strconv.FormatInt(m.now().Unix()+shift, 10)
	})
}

func (m *Maker) sign(key, alg, input string) ([]byte, error) {
	if strings.EqualFold(alg, "none") {
		return nil, nil
	}
	if len(alg) < 5 {
		return nil, fmt.Errorf("algorithm %q is unknown", alg)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:5]]
	h := hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	rs := m.rsa
	if key == "another-rsa" {
		rs = m.other
	}
	switch alg[:2] {
	case "HS":
		mac := hmac.New(hash.New, m.secret(key))
		mac.Write([]byte(input))
		return mac.Sum(nil), nil
	case "RS":
		return rsa.SignPKCS1v15(rand.Reader, rs, hash, digest)
	case "PS":
		return rsa.SignPSS(rand.Reader, rs, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES":
		r, s, err := ecdsa.Sign(rand.Reader, m.ecdsa, digest)
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	}
	return nil, fmt.Errorf("algorithm %q is unknown", alg)
}

// secret is what an HMAC is made with: the consumer's secret, or what an
// attacker might hope for.
func (m *Maker) secret(key string) []byte {
	switch key {
	case "no-secret":
		return nil
	case "rs256-public":
		der, err := x509.MarshalPKIXPublicKey(&m.rsa.PublicKey)
		if err != nil {
			return nil
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return []byte("demo-secret-of-at-least-thirty-two-bytes!")
}

func spoil(how, input string, signature []byte) (string, error) {
	token := input + "." + encode(signature)
	last := len(token) - 1
	switch how {
	case "":
		return token, nil
	case "flip":
		signature[0] ^= 1
		return input + "." + encode(signature), nil
	case "cut":
		return input + ".", nil
	case "pad":
		return token + "==", nil
	case "loose":
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		return token[:last] + string(letters[strings.IndexByte(letters, token[last])|1]), nil
	case "dot":
		return token + ".x", nil
	}
	return "", fmt.Errorf("spoil %q is unknown", how)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
