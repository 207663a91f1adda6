package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/basic"
	"github.com/postern-authz/postern/internal/credential/clientcert"
	"github.com/postern-authz/postern/internal/credential/signature"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// realm names the protected space in challenges (RFC 9110 section 11.5).
const realm = "api"

// realmForm is what stands in a quoted string and on a login window alike.
var realmForm = regexp.MustCompile(`^[\x20-\x7E]{1,128}$`)

func (c *checker) basic(p *basicPart) Basic {
	const field = "authentication.basic"
	if !realmForm.MatchString(p.Realm) {
		c.refuse(field+".realm", "expected 1 to 128 characters of ASCII")
	}
	return Basic{Realm: p.Realm, Verifier: basic.VerifierConfig{
		Workers: c.count(field+".workers", p.Workers, 1024),
		Queue:   c.count(field+".queue", p.Queue, 1<<16),
		Wait:    c.span(field+".wait", p.Wait, time.Millisecond, 10*time.Second),
		Burst:   c.span(field+".burst", p.Burst, 100*time.Millisecond, time.Hour),
	}}
}

// count checks a number that, once it is written, is at least one.
func (c *checker) count(field string, number, most int) int {
	if c.doc.Has(field) && (number < 1 || number > most) {
		c.refuse(field, "expected 1 to %d", most)
	}
	return number
}

func (c *checker) signature(p *signaturePart, environments []string) signature.Config {
	const field = "authentication.signature"
	if p.Dialects != nil && len(p.Dialects) == 0 {
		c.refuse(field+".dialects", "is empty; expected at least one, or no key")
	}
	c.each(field+".required_headers", p.RequiredHeaders, headerForm.MatchString, "a header's name")
	return signature.Config{
		Dialects:                  c.dialects(field+".dialects", p.Dialects, signature.Dialects()),
		Realm:                     realm,
		ClockSkew:                 c.span(field+".clock_skew", p.ClockSkew, time.Second, signature.MaxClockSkew),
		RequiredHeaders:           p.RequiredHeaders,
		DangerouslyRepeatable:     c.dialects(field+".dangerously_repeatable", p.Repeatable, []signature.Dialect{signature.APISIX, signature.Kong}),
		DangerouslyUnsignedTarget: p.UnsignedTarget,
		DangerouslyUnsignedBody:   p.UnsignedBody,
		Environments:              environments,
	}
}

// dialects checks a list against those that it may hold.
func (c *checker) dialects(field string, list []dialect, known []signature.Dialect) []signature.Dialect {
	if len(list) > maxKinds {
		c.refuse(field, "has %d dialects; expected at most %d", len(list), maxKinds)
		return nil
	}
	var dialects []signature.Dialect
	for i, d := range list {
		switch {
		case d == "": // is no dialect, as was told already
		case !slices.Contains(known, signature.Dialect(d)):
			c.refuse(at(field, i), "a request of the dialect %s has a nonce and is never repeatable", d)
		case slices.Contains(list[:i], d):
			c.refuse(at(field, i), "the dialect %s stands here twice", d)
		}
		dialects = append(dialects, signature.Dialect(d))
	}
	return dialects
}

func (c *checker) certificate(p *certificatePart, environments []string) clientcert.Config {
	const field = "authentication.client_certificate"
	c.filled(field+".headers", p.Headers, certificateHeader, "Client-Cert or X-Forwarded-Client-Cert")
	return clientcert.Config{
		Headers:                p.Headers,
		CAFile:                 c.read(field+".ca_file", p.CAFile),
		Unknown:                clientcert.Unknown(p.Unknown),
		IgnoreProxyCertificate: p.IgnoreProxyCertificate,
		Realm:                  realm,
		Environments:           environments,
	}
}

// certificateHeader leaves out Client-Cert-Chain, which goes with Client-Cert.
func certificateHeader(name string) bool {
	return strings.EqualFold(name, "Client-Cert") || strings.EqualFold(name, "X-Forwarded-Client-Cert")
}

// maxAuthorities bounds a file of certificates, in bytes.
const maxAuthorities = 1 << 20

// read resolves the path of a file that is somebody else's to understand, and
// makes its content a part of the revision, so that it is read anew when it
// changes.
func (c *checker) read(field, path string) string {
	path = c.file(field, path)
	if path == "" || c.broken(field) {
		return path
	}
	data, err := strictyaml.ReadFile(path, maxAuthorities)
	if err != nil {
		c.refuse(field, "%s", err)
		return path
	}
	c.files = append(c.files, path)
	c.note(data)
	return path
}

// owner is the kind that a place belongs to by its name, and whose reader would
// reject what another kind proves there.
func (a *authenticationPart) owner(l Location) access.Kind {
	scheme, header := strings.ToLower(l.Scheme), strings.ToLower(l.Header)
	plain := a.reads(signature.Plain)
	switch {
	case scheme == "basic" && a.believes(access.KindBasic):
		return access.KindBasic
	case scheme == "signature" && a.reads(signature.APISIX), scheme == "hmac" && a.reads(signature.Kong),
		plain && slices.Contains([]string{"x-timestamp", "x-nonce", "x-signature"}, header):
		return access.KindSignature
	}
	return ""
}

func (a *authenticationPart) believes(k access.Kind) bool { return slices.Contains(a.Order, kind(k)) }

// reads reports that signed requests of a dialect are believed.
func (a *authenticationPart) reads(d signature.Dialect) bool {
	return a.believes(access.KindSignature) && (len(a.Signature.Dialects) == 0 || slices.Contains(a.Signature.Dialects, dialect(d)))
}
