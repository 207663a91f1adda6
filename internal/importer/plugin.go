package importer

import (
	"encoding/base64"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// plugin is a plugin of APISIX or Kong with its configuration for one consumer
// or group.
type plugin struct {
	name string
	// at is the configuration.
	at       field
	disabled bool
}

// plugins are those of a mapping from names to configurations, as APISIX has
// them.
func plugins(at field) []plugin {
	var list []plugin
	for _, e := range at.entries() {
		if e.mapping() {
			list = append(list, plugin{name: e.key, at: e.field, disabled: e.at("_meta").at("disable").flag(false)})
		}
	}
	return list
}

// authentications are the plugins of APISIX whose configuration for a consumer
// is a credential.
var authentications = map[string]struct {
	kind access.Kind
	read func(*candidate, field)
}{
	"key-auth":   {access.KindAPIKey, (*candidate).keyAuth},
	"basic-auth": {access.KindBasic, (*candidate).basicAuth},
	"jwt-auth":   {access.KindJWT, (*candidate).jwtAuth},
	"hmac-auth":  {access.KindSignature, (*candidate).hmacAuth},
}

// impossible are the plugins that prove a consumer in a way that there is not
// here.
var impossible = map[string]string{
	"wolf-rbac": "wolf-RBAC asks a wolf server for users and their rights; use an OpenID Connect issuer, and policy for the rights",
	"ldap-auth": "passwords are not asked of an LDAP directory; use an OpenID Connect issuer before the directory",
}

// apply reads a consumer's plugins.
func (d *draft) apply(list []plugin) {
	for _, p := range list {
		switch {
		case p.disabled:
			d.lost(p.at, p.name, "the plugin is disabled there, so it is left out")
		case isLimit(p.name): // see plan
		case p.name == "ip-restriction":
			d.addresses(p.at.at("whitelist"), p.at.at("blacklist"))
			d.unread(p.at, "whitelist", "blacklist", "message", "response_code")
		default:
			d.authentication(p.at, p.name, credentialID(d.Name, p.name))
		}
	}
}

// authentication reads a plugin as a credential, or says that it is none.
func (d *draft) authentication(at field, name, id string) {
	kind, ok := authentications[name]
	switch why, known := impossible[name]; {
	case known:
		d.note(Cannot, "credential", id, d.Name, at.place(), "%s", why)
	case !ok:
		d.lost(at, name, "the plugin has no like here; what it did for this consumer is for the gateway or for policy to do")
	default:
		c := d.candidate(at, kind.kind, id)
		kind.read(c, at)
		c.finish()
	}
}

// unread notes what is not understood.
func (d *draft) unread(at field, known ...string) {
	for _, other := range at.others(append(known, "_meta")...) {
		d.lost(other, other.path, "is not known here and counts for nothing")
	}
}

func (c *candidate) keyAuth(at field) {
	c.Key, _ = c.secret(at.at("key"), "key")
	c.unread(at, "key")
}

func (c *candidate) basicAuth(at field) {
	c.Username, _ = c.public(at.at("username"), "username")
	c.password(at.at("password"))
	c.unread(at, "username", "password")
}

func (c *candidate) jwtAuth(at field) {
	c.Algorithm = at.at("algorithm").text()
	if c.Algorithm == "" {
		c.Algorithm = "HS256"
	}
	c.tokenKey(at.at("key"))
	if strings.HasPrefix(c.Algorithm, "HS") {
		c.sharedSecret(at)
	} else {
		c.PublicKey, _ = c.public(at.at("public_key"), "public_key")
		c.superfluous(at.at("secret"), "the secret is not needed to verify "+c.Algorithm)
	}
	c.superfluous(at.at("private_key"), "the private key is left behind: only its owner needs it, and who could read the document has it, too")
	c.lifetimes(at)
	c.unread(at, "key", "secret", "public_key", "private_key", "algorithm", "exp", "base64_secret", "lifetime_grace_period")
}

// tokenKey reads what a token's iss, key or kid names.
func (c *candidate) tokenKey(at field) {
	key, _ := c.public(at, "key")
	c.Key = access.NewSecret(key)
}

func (c *candidate) sharedSecret(at field) {
	secret, ok := c.secret(at.at("secret"), "secret")
	c.superfluous(at.at("public_key"), "the public key is not needed to verify "+c.Algorithm)
	if !ok || !at.at("base64_secret").flag(false) {
		c.Secret = secret
		return
	}
	decoded, err := base64.StdEncoding.DecodeString(string(secret.Reveal()))
	if err != nil {
		c.cannot(at.at("secret"), "its secret is to be base64 (base64_secret) and is not")
	}
	c.Secret = access.NewSecret(string(decoded))
}

func (c *candidate) superfluous(at field, why string) {
	if at.has() && at.text() != "" {
		c.changes(at, "%s", why)
	}
}

// lifetimes notes what is no longer each credential's own.
func (c *candidate) lifetimes(at field) {
	if exp := at.at("exp"); exp.has() {
		exp.whole()
		c.changes(exp, "exp was the life of the tokens that APISIX itself signed; here every token needs an exp claim of its own")
	}
	if grace := at.at("lifetime_grace_period"); grace.whole() != 0 {
		c.changes(grace, "the grace after a token's end is one for all, authentication.jwt.leeway, and 60 seconds at most")
	}
}

// hmacAuth reads both forms of APISIX: key_id and secret_key, and that of before
// version 3.11.
func (c *candidate) hmacAuth(at field) {
	id := at.at("key_id")
	if legacy := at.at("access_key"); !id.has() && legacy.has() {
		id = legacy
		c.changes(legacy, "clients of hmac-auth before APISIX 3.11 send X-HMAC-… headers, which are not read here; they must sign as APISIX 3.11 does")
	}
	c.KeyID, _ = c.public(id, "key_id")
	c.Secret, _ = c.secret(at.at("secret_key"), "secret_key")
	c.signing(at.at("algorithm"))
	if skew := at.at("clock_skew"); skew.has() {
		skew.whole()
		c.changes(skew, "the clock skew is one for all, authentication.signature.clock_skew; 0 is not endless here")
	}
	if signed := at.at("signed_headers"); signed.has() {
		signed.texts()
		c.changes(signed, "the headers that must be signed are the same for all, authentication.signature.required_headers; date and request target always")
	}
	c.legacyHMAC(at)
	c.unread(at, "key_id", "access_key", "secret_key", "algorithm", "clock_skew", "signed_headers",
		"keep_headers", "encode_uri_params", "validate_request_body", "max_req_body")
}

func (c *candidate) legacyHMAC(at field) {
	for _, name := range []string{"keep_headers", "encode_uri_params", "validate_request_body", "max_req_body"} {
		if old := at.at(name); old.has() {
			c.changes(old, "%s is the same for all here: bodies must be covered by a signed digest, targets are signed as they were sent, and what proved a consumer is hidden", name)
		}
	}
}

// believed are the signing algorithms of a credential that names none. SHA-1 is
// believed only where it is named.
var believed = []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"}

// signing reads the one algorithm that a credential may name.
func (c *candidate) signing(at field) {
	if name := at.text(); name != "" {
		c.Algorithms = []string{name}
		return
	}
	c.Algorithms = believed
	c.changes(c.at, "it names no algorithm: any of %s is believed; hmac-sha1, which is there by default, only once its algorithms name it", strings.Join(believed, ", "))
}
