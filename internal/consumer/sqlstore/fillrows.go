package sqlstore

import (
	"encoding/hex"

	"github.com/postern-authz/postern/internal/consumer"
)

// pending are rows that are not written yet, by table.
type pending struct {
	consumers   []consumerFields
	labels      []labelFields
	credentials []credentialFields
}

// The columns that Fill writes: the fields of the rows below.
const (
	stampRowColumns      = "version, created_at, updated_at"
	consumerRowColumns   = "folded, name, environment, enabled, plan, grant_id, doc, " + stampRowColumns
	labelRowColumns      = "name, value, consumer"
	credentialRowColumns = "id, consumer, kind, label, prefix, issuer, value, lookup, pepper, sealed, enabled, expires_at, revoked_at, last_used_at, doc, " + stampRowColumns
)

// The rows of the tables, by column. Bytes are in the hexadecimal form of
// PostgreSQL.
type (
	consumerFields struct {
		Folded      string `json:"folded"`
		Name        string `json:"name"`
		Environment string `json:"environment"`
		Enabled     bool   `json:"enabled"`
		Plan        string `json:"plan"`
		GrantID     string `json:"grant_id"`
		Doc         string `json:"doc"`
		stampFields
	}
	labelFields struct {
		Name     string `json:"name"`
		Value    string `json:"value"`
		Consumer string `json:"consumer"`
	}
	credentialFields struct {
		ID         string `json:"id"`
		Consumer   string `json:"consumer"`
		Kind       string `json:"kind"`
		Label      string `json:"label"`
		Prefix     string `json:"prefix"`
		Issuer     string `json:"issuer"`
		Value      string `json:"value"`
		Lookup     string `json:"lookup"`
		Pepper     int64  `json:"pepper"`
		Sealed     string `json:"sealed,omitempty"`
		Enabled    bool   `json:"enabled"`
		ExpiresAt  int64  `json:"expires_at"`
		RevokedAt  int64  `json:"revoked_at"`
		LastUsedAt int64  `json:"last_used_at"`
		Doc        string `json:"doc"`
		stampFields
	}
	stampFields struct {
		Version   int64 `json:"version"`
		CreatedAt int64 `json:"created_at"`
		UpdatedAt int64 `json:"updated_at"`
	}
)

func (p *pending) add(w *writer, f Filled) error {
	if err := p.addConsumer(w, f.Consumer); err != nil {
		return err
	}
	for _, c := range f.Credentials {
		if err := p.addCredential(w, f.Consumer, c); err != nil {
			return err
		}
	}
	return nil
}

func (p *pending) addConsumer(w *writer, r *consumer.Record) error {
	doc, err := writeConsumerDoc(r)
	if err != nil {
		return err
	}
	if !storable([]any{r.Name, r.Environment, r.Plan, r.Grant, doc}) {
		return errText
	}
	p.consumers = append(p.consumers, consumerFields{
		Folded: fold(r.Name), Name: r.Name, Environment: r.Environment, Enabled: r.Enabled, Plan: r.Plan, GrantID: r.Grant, Doc: doc,
		stampFields: w.stampFields(),
	})
	for name, value := range r.Labels {
		if !storable([]any{name, value}) {
			return errText
		}
		p.labels = append(p.labels, labelFields{name, value, fold(r.Name)})
	}
	return nil
}

func (p *pending) addCredential(w *writer, owner *consumer.Record, c *consumer.CredentialRecord) error {
	doc, err := writeCredentialDoc(c)
	if err != nil {
		return err
	}
	if !storable([]any{c.ID, c.Label, c.Prefix, c.Reference.Issuer, shown(c), doc}) {
		return errText
	}
	kept, err := w.vault.keep(c)
	if err != nil {
		return err
	}
	p.credentials = append(p.credentials, credentialFields{
		ID: c.ID, Consumer: fold(owner.Name), Kind: string(c.Kind), Label: c.Label, Prefix: c.Prefix, Issuer: c.Reference.Issuer, Value: shown(c),
		Lookup: hexColumn(kept.lookup), Pepper: kept.pepper, Sealed: hexColumn(kept.sealed), Enabled: c.Enabled,
		ExpiresAt: micros(c.ExpiresAt), RevokedAt: micros(c.RevokedAt), LastUsedAt: micros(c.LastUsedAt), Doc: doc, stampFields: w.stampFields(),
	})
	return nil
}

func (w *writer) stampFields() stampFields {
	s := w.stamp()
	return stampFields{s.Version, micros(s.CreatedAt), micros(s.UpdatedAt)}
}

func hexColumn(b []byte) string {
	if b == nil {
		return ""
	}
	return `\x` + hex.EncodeToString(b)
}
