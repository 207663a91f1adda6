package gate

import (
	"fmt"
	"maps"
	"sort"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// DecisionIDHeader carries the decision's id to the client on a denial and to
// the upstream always.
const DecisionIDHeader = "X-Decision-Id"

// ManagedHeader is a header for the upstream that Postern alone speaks for. A
// client's own is replaced or removed, never read.
type ManagedHeader struct {
	// Name is spelt as it is sent.
	Name string
	// Value reads the identity; nil, or a result of "", means that there is
	// nothing to say.
	Value func(*access.Identity) string
}

// presets are the headers that gateways' users know; a field is as in Field.
var presets = map[string]map[string]string{
	"apisix": {
		"X-Consumer-Username":     "consumer.name",
		"X-Credential-Identifier": "credential.id",
		"X-Consumer-Custom-ID":    "consumer.labels.custom_id",
	},
	"kong": {
		"X-Consumer-ID":           "consumer.name",
		"X-Consumer-Username":     "consumer.name",
		"X-Consumer-Custom-ID":    "consumer.labels.custom_id",
		"X-Credential-Identifier": "credential.id",
		"X-Anonymous-Consumer":    "anonymous",
		"X-Consumer-Groups":       "consumer.groups",
		"X-Authenticated-Groups":  "identity.groups",
	},
}

// Preset returns the headers of a preset, "apisix" or "kong". They are the
// caller's own to add to.
func Preset(name string) (map[string]string, bool) {
	fields, ok := presets[name]
	return maps.Clone(fields), ok
}

// Manage makes the managed headers from a map of header to field. The names of
// both presets are among them whatever the map says, so that neither can be
// forged.
func Manage(fields map[string]string) ([]ManagedHeader, error) {
	managed := map[string]ManagedHeader{}
	for _, preset := range presets {
		for name := range preset {
			managed[strings.ToLower(name)] = ManagedHeader{Name: name}
		}
	}
	for name, field := range fields {
		value, err := Field(field)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		managed[strings.ToLower(name)] = ManagedHeader{Name: name, Value: value}
	}
	list := make([]ManagedHeader, 0, len(managed))
	for _, h := range managed {
		list = append(list, h)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list, nil
}

// Field returns what reads a field of an identity:
//
//	anonymous                "true" for the anonymous identity
//	consumer.name, .display_name, .environment, .groups, .roles, .labels.NAME
//	credential.id, .kind
//	identity.scopes, .roles, .groups, .issuer, .claims.NAME[.NAME…]
//	identity.client_id       the token's azp, else its client_id
//
// Lists are joined with ", ".
func Field(name string) (func(*access.Identity) string, error) {
	if label, ok := strings.CutPrefix(name, "consumer.labels."); ok && label != "" {
		return ofConsumer(func(c *access.Consumer) string { return c.Labels[label] }), nil
	}
	if claim, ok := strings.CutPrefix(name, "identity.claims."); ok && claim != "" {
		path := strings.Split(claim, ".")
		return func(id *access.Identity) string { return claimText(id.Claims, path) }, nil
	}
	if read, ok := fields[name]; ok {
		return read, nil
	}
	return nil, fmt.Errorf("unknown field %q", name)
}

var fields = map[string]func(*access.Identity) string{
	"anonymous":             anonymousText,
	"consumer.name":         ofConsumer(func(c *access.Consumer) string { return c.Name }),
	"consumer.display_name": ofConsumer(func(c *access.Consumer) string { return c.DisplayName }),
	"consumer.environment":  ofConsumer(func(c *access.Consumer) string { return c.Environment }),
	"consumer.groups":       ofConsumer(func(c *access.Consumer) string { return list(c.Groups) }),
	"consumer.roles":        ofConsumer(func(c *access.Consumer) string { return list(c.Roles) }),
	"credential.id":         ofCredential(func(c *access.Credential) string { return c.ID }),
	"credential.kind":       ofCredential(func(c *access.Credential) string { return string(c.Kind) }),
	"identity.scopes":       func(id *access.Identity) string { return list(id.Scopes) },
	"identity.roles":        func(id *access.Identity) string { return list(id.Roles) },
	"identity.groups":       func(id *access.Identity) string { return list(id.Groups) },
	"identity.client_id":    clientID,
	"identity.issuer":       func(id *access.Identity) string { return id.Issuer },
}

func anonymousText(id *access.Identity) string {
	if id.Anonymous() {
		return "true"
	}
	return ""
}

// clientID names the client that a token was issued to: "azp" in OpenID
// Connect (Core section 2), "client_id" in RFC 9068 and RFC 7662.
func clientID(id *access.Identity) string {
	for _, claim := range []string{"azp", "client_id"} {
		if text, ok := id.Claims[claim].(string); ok && text != "" {
			return text
		}
	}
	return ""
}

func ofConsumer(read func(*access.Consumer) string) func(*access.Identity) string {
	return func(id *access.Identity) string {
		if id.Consumer == nil {
			return ""
		}
		return read(id.Consumer)
	}
}

func ofCredential(read func(*access.Credential) string) func(*access.Identity) string {
	return func(id *access.Identity) string {
		if id.Credential == nil {
			return ""
		}
		return read(id.Credential)
	}
}

func list(values []string) string { return strings.Join(values, ", ") }

// claimText finds a claim by its path and writes it as header text. Objects
// have no header form and yield nothing.
func claimText(claims map[string]any, path []string) string {
	value, ok := claims[path[0]]
	if !ok {
		return ""
	}
	if len(path) > 1 {
		inner, _ := value.(map[string]any)
		return claimText(inner, path[1:])
	}
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case fmt.Stringer: // json.Number
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		return claimList(v)
	}
	return ""
}

func claimList(values []any) string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return list(texts)
}
