package importer

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/certname"
)

// kongKinds are the lists of credentials of a Kong consumer. They may also
// stand beside the consumers, with the consumer's name in each item.
var kongKinds = []struct {
	list string
	kind access.Kind
	read func(*candidate, field)
	// known are the keys that read looks at.
	known []string
}{
	{"keyauth_credentials", access.KindAPIKey, (*candidate).kongKey, []string{"key", "ttl", "created_at"}},
	{"jwt_secrets", access.KindJWT, (*candidate).kongJWT, []string{"key", "secret", "algorithm", "rsa_public_key"}},
	{"basicauth_credentials", access.KindBasic, (*candidate).kongBasic, []string{"username", "password"}},
	{"hmacauth_credentials", access.KindSignature, (*candidate).kongHMAC, []string{"username", "secret"}},
	{"mtls_auth_credentials", access.KindClientCertificate, (*candidate).kongCertificate, []string{"subject_name", "ca_certificate"}},
	{"oauth2_credentials", "", (*candidate).kongOAuth2, []string{"name", "client_id", "client_secret", "redirect_uris", "hash_secret", "client_type"}},
}

// kongLists are the keys of what belongs to a consumer.
func kongLists() []string {
	lists := []string{"acls"}
	for _, kind := range kongKinds {
		lists = append(lists, kind.list)
	}
	return lists
}

func (d *draft) kongCredentials(at field) {
	for i, kind := range kongKinds {
		for _, item := range at.at(kind.list).items() {
			d.kongCredential(item, i)
		}
	}
}

// beforeConsumers reads the credentials and ACL groups that stand beside their
// consumers.
func (r *reader) beforeConsumers(root field) {
	for i, kind := range kongKinds {
		r.owned(root.at(kind.list), func(d *draft, item field) { d.kongCredential(item, i) })
	}
	r.owned(root.at("acls"), (*draft).acl)
}

func (r *reader) owned(list field, read func(*draft, field)) {
	for _, item := range list.items() {
		d := r.named[item.at("consumer").text()]
		if d == nil {
			item.problem("names no consumer that is in the documents")
			continue
		}
		read(d, item)
	}
}

func (d *draft) kongCredential(at field, kind int) {
	k := kongKinds[kind]
	if !at.mapping() {
		return
	}
	c := d.candidate(at, k.kind, at.at("id").text())
	if c.ID == "" {
		c.ID = kongID(d.Name, at, k.list)
	}
	c.ID = validName(c.ID)
	k.read(c, at)
	c.finish()
	if at.at("tags").has() {
		d.lost(at.at("tags"), "tags", "tags of credentials do not come over")
	}
	d.unread(at, append(k.known, "id", "tags", "consumer", "created_at")...)
}

// kongID makes an id for a credential without one, of what is public about it.
func kongID(owner string, at field, list string) string {
	kind := strings.TrimSuffix(strings.TrimSuffix(list, "_credentials"), "_secrets")
	switch list {
	case "keyauth_credentials":
		return credentialID(owner, kind, keyDigits(access.NewSecret(at.at("key").text())))
	case "jwt_secrets":
		return credentialID(owner, kind, at.at("key").text())
	}
	return credentialID(owner, kind, at.either("username", "subject_name").text())
}

func (c *candidate) kongKey(at field) {
	c.Key, _ = c.secret(at.at("key"), "key")
	c.kongLife(at)
}

func (c *candidate) kongJWT(at field) {
	c.Algorithm = at.at("algorithm").text()
	if c.Algorithm == "" {
		c.Algorithm = "HS256"
	}
	c.tokenKey(at.at("key"))
	if strings.HasPrefix(c.Algorithm, "HS") {
		c.Secret, _ = c.secret(at.at("secret"), "secret")
		c.superfluous(at.at("rsa_public_key"), "the public key is not needed to verify "+c.Algorithm)
		return
	}
	c.PublicKey, _ = c.public(at.at("rsa_public_key"), "rsa_public_key")
	c.superfluous(at.at("secret"), "the secret is not needed to verify "+c.Algorithm) // Kong makes one for every credential
}

func (c *candidate) kongBasic(at field) {
	c.Username, _ = c.public(at.at("username"), "username")
	c.kongPassword(at.at("password"), c.draft.at.at("id").text())
}

func (c *candidate) kongHMAC(at field) {
	c.KeyID, _ = c.public(at.at("username"), "username")
	c.Secret, _ = c.secret(at.at("secret"), "secret")
	c.signing(field{r: c.reader})
}

// kongCertificate reads a name that Kong compares with the SANs and the common
// name of a certificate. Here it is one of the two.
func (c *candidate) kongCertificate(at field) {
	name, ok := c.public(at.at("subject_name"), "subject_name")
	if !ok {
		return
	}
	switch _, err := certname.URI(name); {
	case strings.Contains(name, "://") && err == nil:
		c.URISAN = name
		c.changes(at, "it is found by the certificate's URI SAN, no longer by its common name, too")
	case strings.Contains(name, "@") || strings.ContainsAny(name, "*"):
		c.cannot(at, "a mail address or a wildcard names no certificate here; expected a URI, a DNS name or a subject")
	case strings.Contains(name, "="):
		c.Subject = name
	case strings.Contains(name, "."):
		c.DNSSAN = name
		c.changes(at, "it is found by the certificate's DNS SAN, no longer by its common name, too")
	default:
		c.Subject = "CN=" + name
		c.changes(at, "it is found by a subject that is this common name and nothing else, no longer by a SAN, too")
	}
	if ca := at.at("ca_certificate"); ca.has() {
		c.changes(ca, "which authority issued the certificate is checked where it is verified, not for each credential")
	}
}

func (c *candidate) kongOAuth2(at field) {
	c.cannot(at, "Postern issues no tokens; let an OpenID Connect server know the client, and give the consumer an issuer credential with its client id")
}
