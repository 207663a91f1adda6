package importer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// exportPage is how many records are read at once.
const exportPage = 500

// Export writes everything that a store holds in our declarative format, one
// consumer after another.
//
// What proves a credential by a secret can't be read back, so such a credential
// is written as a comment, which says what is to be filled in; certificates,
// issuers' values and public keys are written whole. Revoked credentials are
// left out: a file has no way to say that they never come back. Plans are a
// comment, since they belong into limits.plans of the configuration.
func Export(ctx context.Context, r consumer.Reader, w io.Writer) error {
	if err := exportPlans(ctx, r, w); err != nil {
		return err
	}
	written := false
	query := consumer.ConsumerQuery{Page: consumer.Page{Limit: exportPage}}
	for {
		list, err := r.Consumers(ctx, query)
		if err != nil {
			return fmt.Errorf("list consumers: %w", err)
		}
		for _, record := range list {
			credentials, err := allCredentials(ctx, r, record.Name)
			if err != nil {
				return err
			}
			if err := begin(w, &written); err != nil {
				return err
			}
			if err := writeConsumer(w, record, credentials); err != nil {
				return err
			}
			query.After = record.Name
		}
		if len(list) < exportPage {
			return end(w, written)
		}
	}
}

func begin(w io.Writer, written *bool) error {
	if *written {
		return nil
	}
	*written = true
	_, err := io.WriteString(w, "consumers:\n")
	return err
}

func end(w io.Writer, written bool) error {
	if written {
		return nil
	}
	_, err := io.WriteString(w, "consumers: []\n")
	return err
}

func allCredentials(ctx context.Context, r consumer.Reader, owner string) ([]*consumer.CredentialRecord, error) {
	var all []*consumer.CredentialRecord
	query := consumer.CredentialQuery{Consumer: owner, Page: consumer.Page{Limit: exportPage}}
	for {
		list, err := r.Credentials(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the credentials of %s: %w", owner, err)
		}
		all = append(all, list...)
		if len(list) < exportPage {
			return all, nil
		}
		query.After = list[len(list)-1].ID
	}
}

// Write writes records in our declarative format, as Export does.
func Write(w io.Writer, records []*consumer.Record, credentials []*consumer.CredentialRecord) error {
	written := false
	for _, record := range records {
		if err := begin(w, &written); err != nil {
			return err
		}
		own := slices.DeleteFunc(slices.Clone(credentials), func(c *consumer.CredentialRecord) bool { return c.Consumer != record.Name })
		if err := writeConsumer(w, record, own); err != nil {
			return err
		}
	}
	return end(w, written)
}

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

// mapping is a mapping whose keys keep their order.
type mapping struct{ pairs []pair }

type pair struct {
	key   string
	value any
}

func (m *mapping) text(key, value string) { m.set(key, value, value != "") }

func (m *mapping) set(key string, value any, present bool) {
	if present {
		m.pairs = append(m.pairs, pair{key, value})
	}
}

// MarshalYAML implements yaml.Marshaler.
func (m mapping) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range m.pairs {
		var value yaml.Node
		if err := value.Encode(p.value); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.key}, &value)
	}
	return n, nil
}

// listItem writes a mapping as an item of a list, with two spaces before it.
func listItem(m mapping) (string, error) {
	text, err := yamlOf([]any{m})
	return indent(text, "  "), err
}

func yamlOf(value any) (string, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("write YAML: %w", err)
	}
	return b.String(), encoder.Close()
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}

func commentOf(declared mapping, missing string) (string, error) {
	text, err := yamlOf([]any{declared})
	return "    # lacks " + missing + ", which can't be read back:\n" + indent(text, "    #   "), err
}

// exportPlans writes the plans as a comment.
func exportPlans(ctx context.Context, r consumer.Reader, w io.Writer) error {
	plans := map[string]any{}
	page := consumer.Page{Limit: exportPage}
	for {
		list, err := r.Plans(ctx, page)
		if err != nil {
			return fmt.Errorf("list plans: %w", err)
		}
		for _, p := range list {
			plans[p.Name] = planOf(p)
			page.After = p.Name
		}
		if len(list) < exportPage {
			break
		}
	}
	if len(plans) == 0 {
		return nil
	}
	text, err := yamlOf(map[string]any{"limits": map[string]any{"plans": plans}})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "# The plans, for the configuration:\n"+indent(text, "#   "))
	return err
}

func planOf(p *consumer.Plan) mapping {
	m := mapping{}
	var rates, quotas []any
	for _, r := range p.Rates {
		rate := mapping{}
		rate.set("count", r.Count, true)
		rate.text("period", r.Period.String())
		rate.set("burst", r.Burst, r.Burst > 0)
		rates = append(rates, rate)
	}
	for _, q := range p.Quotas {
		quota := mapping{}
		quota.set("count", q.Count, true)
		quota.text("period", q.Period)
		quota.text("cap", map[bool]string{true: "hard", false: "soft"}[q.Hard])
		quotas = append(quotas, quota)
	}
	m.set("rates", rates, len(rates) > 0)
	m.set("quotas", quotas, len(quotas) > 0)
	return m
}
