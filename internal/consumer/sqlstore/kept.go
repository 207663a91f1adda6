package sqlstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// kept is what a row holds under a pepper: 0 when nothing is.
type kept struct {
	lookup, sealed []byte
	pepper         int64
}

// keep protects a credential under the newest pepper.
func (v *vault) keep(c *consumer.CredentialRecord) (kept, error) {
	p := v.newest()
	k := kept{lookup: p.lookup(c.Reference)}
	if c.Reference.Kind == access.KindAPIKey {
		k.pepper = p.id
	}
	if c.Secret.Empty() && c.Password.Empty() {
		return k, nil
	}
	plain, err := json.Marshal(sealedDoc{Secret: c.Secret.Reveal(), Password: c.Password.Reveal()})
	if err != nil {
		return kept{}, fmt.Errorf("write a credential's secrets: %w", err)
	}
	k.pepper = p.id
	k.sealed, err = v.seal(credentialPlace(c.ID), plain)
	return k, err
}

// unseal reads a credential's secrets.
func (v *vault) unseal(c *consumer.CredentialRecord, k kept) error {
	if len(k.sealed) == 0 {
		return nil
	}
	plain, err := v.open(credentialPlace(c.ID), k.pepper, k.sealed)
	if err != nil {
		return fmt.Errorf("the secret of credential %s: %w", c.ID, err)
	}
	var doc sealedDoc
	if err := json.Unmarshal(plain, &doc); err != nil {
		return fmt.Errorf("the secret of credential %s can't be read", c.ID) // the error may quote it
	}
	c.Secret, c.Password = access.NewSecret(string(doc.Secret)), access.NewSecret(string(doc.Password))
	return nil
}

func credentialPlace(id string) string { return "credential\x00" + id }

// places are n placeholders of a query.
func places(n int) string {
	var text strings.Builder
	for i := range n {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("$" + strconv.Itoa(i+1))
	}
	return text.String()
}

func anys(lookups [][]byte) []any {
	args := make([]any, len(lookups))
	for i, lookup := range lookups {
		args[i] = lookup
	}
	return args
}
