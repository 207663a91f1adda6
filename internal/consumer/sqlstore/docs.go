package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// The JSON of the columns "doc".
type (
	consumerDoc struct {
		DisplayName string            `json:"display_name,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
		Groups      []string          `json:"groups,omitempty"`
		Roles       []string          `json:"roles,omitempty"`
		Attributes  map[string]any    `json:"attributes,omitempty"`
		Constraints *constraintsDoc   `json:"constraints,omitempty"`
	}
	credentialDoc struct {
		Scopes        []string        `json:"scopes,omitempty"`
		Constraints   *constraintsDoc `json:"constraints,omitempty"`
		LastFour      string          `json:"last_four,omitempty"`
		Algorithm     string          `json:"algorithm,omitempty"`
		Algorithms    []string        `json:"algorithms,omitempty"`
		PublicKey     string          `json:"public_key,omitempty"`
		Replaces      string          `json:"replaces,omitempty"`
		ReplacedBy    string          `json:"replaced_by,omitempty"`
		RevokedReason string          `json:"revoked_reason,omitempty"`
	}
	constraintsDoc struct {
		Addresses []netip.Prefix `json:"addresses,omitempty"`
		Methods   []string       `json:"methods,omitempty"`
	}
	applicationDoc struct {
		DisplayName string            `json:"display_name,omitempty"`
		Owner       string            `json:"owner,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
	}
	planDoc struct {
		DisplayName string     `json:"display_name,omitempty"`
		Rates       []rateDoc  `json:"rates,omitempty"`
		Quotas      []quotaDoc `json:"quotas,omitempty"`
	}
	rateDoc struct {
		Count  int64         `json:"count"`
		Period time.Duration `json:"period"` // nanoseconds
		Burst  int64         `json:"burst,omitempty"`
	}
	quotaDoc struct {
		Count  int64  `json:"count"`
		Period string `json:"period"`
		Hard   bool   `json:"hard,omitempty"`
	}
	auditDoc struct {
		Before string `json:"before,omitempty"`
		After  string `json:"after,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
	// sealedDoc is what is encrypted of a credential.
	sealedDoc struct {
		Secret   []byte `json:"secret,omitempty"`
		Password []byte `json:"password,omitempty"`
	}
)

func writeDoc(doc any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(doc); err != nil {
		return "", fmt.Errorf("write a record as JSON: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

func readDoc(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("read a record's JSON: %w", err)
	}
	return nil
}

func writeConstraints(c *access.Constraints) *constraintsDoc {
	if c == nil {
		return nil
	}
	return &constraintsDoc{Addresses: c.Addresses, Methods: c.Methods}
}

func readConstraints(c *constraintsDoc) *access.Constraints {
	if c == nil {
		return nil
	}
	return &access.Constraints{Addresses: c.Addresses, Methods: c.Methods}
}

// plainNumbers gives numbers the types that YAML's have in files: int, and
// float64 for what is none.
func plainNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return plainNumber(value)
	case []any:
		for i := range value {
			value[i] = plainNumbers(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = plainNumbers(value[name])
		}
	}
	return value
}

func plainNumber(n json.Number) any {
	if whole, err := strconv.Atoi(n.String()); err == nil {
		return whole
	}
	float, err := n.Float64()
	if err != nil {
		return n.String() // beyond what a float64 holds
	}
	return float
}

// fold makes names that differ in case alone one, as consumer.NameReference
// does.
func fold(name string) string { return strings.ToLower(name) }

// micros is a time as it is kept; 0: none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if at := t.UnixMicro(); at != 0 {
		return at
	}
	return -1 // 0 is no time, and to an end that would be never
}

func fromMicros(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}
