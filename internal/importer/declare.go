package importer

import (
	"encoding/hex"
	"io"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// writeConsumer writes one item of the list, and after it the credentials that
// can't be read back as comments.
func writeConsumer(w io.Writer, r *consumer.Record, credentials []*consumer.CredentialRecord) error {
	item := mapping{}
	item.text("name", r.Name)
	item.text("display_name", r.DisplayName)
	item.set("enabled", false, !r.Enabled)
	item.text("environment", r.Environment)
	item.set("labels", r.Labels, len(r.Labels) > 0)
	item.set("groups", r.Groups, len(r.Groups) > 0)
	item.set("roles", r.Roles, len(r.Roles) > 0)
	item.set("attributes", r.Attributes, len(r.Attributes) > 0)
	item.text("plan", r.Plan)
	item.set("constraints", constraintsOf(r.Constraints), r.Constraints != nil)
	var whole []any
	var comments []string
	for _, c := range credentials {
		declared, missing := declaredOf(c)
		switch {
		case !c.RevokedAt.IsZero():
		case missing == "":
			whole = append(whole, declared)
		default:
			comment, err := commentOf(declared, missing)
			if err != nil {
				return err
			}
			comments = append(comments, comment)
		}
	}
	item.set("credentials", whole, len(whole) > 0)
	text, err := listItem(item)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text+strings.Join(comments, ""))
	return err
}

// declaredOf is a credential as it is declared, and the fields that it lacks.
func declaredOf(c *consumer.CredentialRecord) (declared mapping, missing string) {
	declared.text("id", c.ID)
	declared.text("type", string(c.Kind))
	missing = declared.proof(c)
	declared.set("enabled", false, !c.Enabled)
	declared.set("scopes", c.Scopes, len(c.Scopes) > 0)
	declared.set("expires_at", c.ExpiresAt.UTC().Format(time.RFC3339Nano), !c.ExpiresAt.IsZero())
	declared.set("constraints", constraintsOf(c.Constraints), c.Constraints != nil)
	return declared, missing
}

// proof writes what finds and verifies a credential, and returns what is not
// known of it.
func (m *mapping) proof(c *consumer.CredentialRecord) (missing string) {
	switch c.Kind {
	case access.KindAPIKey:
		m.set("key_sha256", hex.EncodeToString([]byte(c.Reference.Value)), c.Reference.Value != "")
		return unless(c.Reference.Value != "", "key or key_sha256")
	case access.KindIssuer:
		m.text("issuer", c.Reference.Issuer)
		m.text("value", c.Reference.Value)
	case access.KindJWT:
		m.text("key", c.Reference.Value)
		m.text("algorithm", c.Algorithm)
		m.text("public_key", c.PublicKey)
		return unless(c.PublicKey != "", "secret")
	case access.KindBasic:
		m.text("username", c.Reference.Value)
		m.text("password_hash", string(c.Password.Reveal()))
		return unless(!c.Password.Empty(), "password_hash")
	case access.KindSignature:
		m.text("key_id", c.Reference.Value)
		m.set("algorithms", c.Algorithms, len(c.Algorithms) > 0)
		return "secret"
	case access.KindClientCertificate:
		form, name, _ := strings.Cut(c.Reference.Value, ":")
		m.text(map[string]string{"uri": "uri_san", "dns": "dns_san", "subject": "subject", "sha256": "sha256"}[form], name)
	}
	return ""
}

func unless(known bool, field string) string {
	if known {
		return ""
	}
	return field
}

func constraintsOf(c *access.Constraints) mapping {
	m := mapping{}
	if c == nil {
		return m
	}
	addresses := make([]string, len(c.Addresses))
	for i, network := range c.Addresses {
		addresses[i] = network.String()
	}
	m.set("addresses", addresses, len(addresses) > 0)
	m.set("methods", c.Methods, len(c.Methods) > 0)
	return m
}
