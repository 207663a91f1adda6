package keyring

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// The records as audit notes show them: in the words of the declarative format,
// without secrets.
type (
	consumerDocument struct {
		Name        string               `json:"name"`
		DisplayName string               `json:"display_name,omitempty"`
		Enabled     bool                 `json:"enabled"`
		Environment string               `json:"environment,omitempty"`
		Labels      map[string]string    `json:"labels,omitempty"`
		Groups      []string             `json:"groups,omitempty"`
		Roles       []string             `json:"roles,omitempty"`
		Attributes  map[string]any       `json:"attributes,omitempty"`
		Plan        string               `json:"plan,omitempty"`
		Grant       string               `json:"grant,omitempty"`
		Constraints *constraintsDocument `json:"constraints,omitempty"`
		// Credentials are the ids of those that were deleted with it.
		Credentials []string `json:"credentials,omitempty"`
	}
	constraintsDocument struct {
		Addresses []netip.Prefix `json:"addresses,omitempty"`
		Methods   []string       `json:"methods,omitempty"`
	}
	credentialDocument struct {
		ID            string               `json:"id"`
		Type          access.Kind          `json:"type"`
		Consumer      string               `json:"consumer"`
		Label         string               `json:"label,omitempty"`
		Enabled       bool                 `json:"enabled"`
		Scopes        []string             `json:"scopes,omitempty"`
		ExpiresAt     *time.Time           `json:"expires_at,omitempty"`
		Constraints   *constraintsDocument `json:"constraints,omitempty"`
		Prefix        string               `json:"prefix,omitempty"`
		LastFour      string               `json:"last_four,omitempty"`
		Key           string               `json:"key,omitempty"` // a JWT credential's, which is a name
		Algorithm     string               `json:"algorithm,omitempty"`
		PublicKey     string               `json:"public_key,omitempty"`
		Issuer        string               `json:"issuer,omitempty"`
		Value         string               `json:"value,omitempty"`
		Username      string               `json:"username,omitempty"`
		KeyID         string               `json:"key_id,omitempty"`
		Algorithms    []string             `json:"algorithms,omitempty"`
		URISAN        string               `json:"uri_san,omitempty"`
		DNSSAN        string               `json:"dns_san,omitempty"`
		Subject       string               `json:"subject,omitempty"`
		SHA256        string               `json:"sha256,omitempty"`
		Replaces      string               `json:"replaces,omitempty"`
		ReplacedBy    string               `json:"replaced_by,omitempty"`
		RevokedAt     *time.Time           `json:"revoked_at,omitempty"`
		RevokedReason string               `json:"revoked_reason,omitempty"`
	}
	applicationDocument struct {
		Name        string            `json:"name"`
		DisplayName string            `json:"display_name,omitempty"`
		Owner       string            `json:"owner,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
	}
	grantDocument struct {
		ID          string `json:"id"`
		Application string `json:"application"`
		API         string `json:"api"`
		Environment string `json:"environment"`
		Consumer    string `json:"consumer"`
	}
	planDocument struct {
		Name        string          `json:"name"`
		DisplayName string          `json:"display_name,omitempty"`
		Rates       []rateDocument  `json:"rates,omitempty"`
		Quotas      []quotaDocument `json:"quotas,omitempty"`
	}
	rateDocument struct {
		Count  int64  `json:"count"`
		Period string `json:"period"`
		Burst  int64  `json:"burst,omitempty"`
	}
	quotaDocument struct {
		Count  int64  `json:"count"`
		Period string `json:"period"`
		Cap    string `json:"cap"`
	}
)

func documentOfConsumer(r *consumer.Record) *consumerDocument {
	return &consumerDocument{
		Name: r.Name, DisplayName: r.DisplayName, Enabled: r.Enabled, Environment: r.Environment,
		Labels: r.Labels, Groups: r.Groups, Roles: r.Roles, Attributes: r.Attributes,
		Plan: r.Plan, Grant: r.Grant, Constraints: documentOfConstraints(r.Constraints),
	}
}

func documentOfConstraints(c *access.Constraints) *constraintsDocument {
	if c == nil {
		return nil
	}
	return &constraintsDocument{Addresses: c.Addresses, Methods: c.Methods}
}

func documentOfCredential(c *consumer.CredentialRecord) *credentialDocument {
	d := &credentialDocument{
		ID: c.ID, Type: c.Kind, Consumer: c.Consumer, Label: c.Label, Enabled: c.Enabled, Scopes: c.Scopes,
		ExpiresAt: moment(c.ExpiresAt), Constraints: documentOfConstraints(c.Constraints),
		Prefix: c.Prefix, LastFour: c.LastFour, Algorithm: c.Algorithm, PublicKey: c.PublicKey, Algorithms: c.Algorithms,
		Replaces: c.Replaces, ReplacedBy: c.ReplacedBy, RevokedAt: moment(c.RevokedAt), RevokedReason: c.RevokedReason,
	}
	switch value := c.Reference.Value; c.Kind {
	case access.KindJWT:
		d.Key = value
	case access.KindIssuer:
		d.Issuer, d.Value = c.Reference.Issuer, value
	case access.KindBasic:
		d.Username = value
	case access.KindSignature:
		d.KeyID = value
	case access.KindClientCertificate:
		form, name, _ := strings.Cut(value, ":")
		*map[string]*string{"uri": &d.URISAN, "dns": &d.DNSSAN, "subject": &d.Subject, "sha256": &d.SHA256}[form] = name
	}
	return d
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func documentOfApplication(a *consumer.Application) *applicationDocument {
	return &applicationDocument{Name: a.Name, DisplayName: a.DisplayName, Owner: a.Owner, Labels: a.Labels}
}

func documentOfGrant(g *consumer.Grant) *grantDocument {
	return &grantDocument{ID: g.ID, Application: g.Application, API: g.API, Environment: g.Environment, Consumer: g.Consumer}
}

func documentOfPlan(p *consumer.Plan) *planDocument {
	d := &planDocument{Name: p.Name, DisplayName: p.DisplayName}
	for _, r := range p.Rates {
		d.Rates = append(d.Rates, rateDocument{Count: r.Count, Period: r.Period.String(), Burst: r.Burst})
	}
	for _, q := range p.Quotas {
		limit := "soft"
		if q.Hard {
			limit = "hard"
		}
		d.Quotas = append(d.Quotas, quotaDocument{Count: q.Count, Period: q.Period, Cap: limit})
	}
	return d
}

// text is a document as JSON; nil: none.
func text(document any) (string, error) {
	if document == nil {
		return "", nil
	}
	data, err := json.Marshal(document)
	return string(data), err
}

// note adds to the audit chain what became of one thing.
func note(ctx context.Context, w consumer.Writer, a *consumer.AuditRecord, before, after any) (err error) {
	if a.Before, err = text(before); err != nil {
		return err
	}
	if a.After, err = text(after); err != nil {
		return err
	}
	return w.Note(ctx, a)
}

// declaredConstraints are constraints in the words of a declaration.
func declaredConstraints(c *access.Constraints) *rules.Constraints {
	if c == nil {
		return nil
	}
	d := &rules.Constraints{Methods: c.Methods}
	if len(d.Methods) == 0 {
		d.Methods = nil
	}
	for _, network := range c.Addresses {
		d.Addresses = append(d.Addresses, network.String())
	}
	return d
}
