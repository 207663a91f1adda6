package rules

import (
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// Consumer is a consumer as somebody declares it.
type Consumer struct {
	Name        string
	DisplayName string
	// Enabled left out is true.
	Enabled     *bool
	Environment string
	Labels      map[string]string
	Groups      []string
	Roles       []string
	Attributes  map[string]any
	Plan        string
	// Constraints are nil where there are none.
	Constraints *Constraints
}

// Constraints are constraints as they are written. A list that is nil was left
// out; one that is empty was meant to constrain, so it is refused.
type Constraints struct {
	// Addresses are networks or addresses: "203.0.113.0/24", "127.0.0.1".
	Addresses []string
	Methods   []string
}

// environmentForm is what stands in a key, so it has no underscore.
var environmentForm = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Read checks the consumer. With problems, what it returns is as it was told.
func (c *Consumer) Read(w Written) (*access.Consumer, []Problem) {
	r := &reader{Written: w, has: w.Has}
	if r.has == nil {
		r.has = func(field string) bool { return field == "name" || field == "environment" && c.Environment != "" }
	}
	if c.Name != "" || r.has("name") {
		r.name("name", c.Name)
	}
	if r.has("environment") && !ValidEnvironment(c.Environment) {
		r.refuse("environment", "expected lower-case letters, digits and -, at most 32")
	}
	r.text("display_name", c.DisplayName)
	r.labels(c.Labels)
	r.list("groups", c.Groups, listed, "a text without commas and control characters")
	r.list("roles", c.Roles, listed, "a text without commas and control characters")
	if c.Plan != "" && !consumer.ValidName(c.Plan) {
		r.refuse("plan", nameForm)
	}
	r.attributes(c.Attributes)
	return &access.Consumer{
		Name: c.Name, DisplayName: c.DisplayName, Environment: c.Environment,
		Enabled: c.Enabled == nil || *c.Enabled,
		Labels:  c.Labels, Groups: c.Groups, Roles: c.Roles, Attributes: c.Attributes,
		Constraints: r.constraints(c.Constraints),
	}, r.problems
}

// ValidEnvironment reports whether an environment may be called so: 1 to 32
// lower-case letters, digits and "-".
func ValidEnvironment(name string) bool { return environmentForm.MatchString(name) }

// Labels says what is wrong with labels, in the fields "labels.<name>".
func Labels(labels map[string]string) []Problem {
	r := &reader{}
	r.labels(labels)
	return r.problems
}

func (r *reader) labels(labels map[string]string) {
	if len(labels) > maxItems {
		r.refuse("labels", "has %d labels; expected at most %d", len(labels), maxItems)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if !consumer.ValidName(key) {
			r.refuse("labels", "a label's name has ASCII letters, digits, '.', '_' and '-', at most 128")
			continue
		}
		r.text("labels."+key, labels[key])
	}
}

// attributes go with every decision's input, so they are bounded.
func (r *reader) attributes(attributes map[string]any) {
	if len(attributes) == 0 {
		return
	}
	data, err := json.Marshal(attributes)
	switch {
	case err != nil:
		r.refuse("attributes", "hold what JSON does not know")
	case len(data) > maxAttributes:
		r.refuse("attributes", "have %d bytes as JSON; expected at most %d", len(data), maxAttributes)
	}
}

// constraints are nil when there are none. What is written and empty was meant
// to constrain, so it is refused.
func (r *reader) constraints(c *Constraints) *access.Constraints {
	if c == nil {
		return nil
	}
	if c.Addresses == nil && c.Methods == nil {
		r.refuse("constraints", "constrains nothing; leave the key out if that is meant")
	}
	r.filled("constraints.addresses", c.Addresses)
	r.filled("constraints.methods", c.Methods)
	r.list("constraints.methods", c.Methods, methodForm.MatchString, "a method in upper case")
	return &access.Constraints{Addresses: r.networks("constraints.addresses", c.Addresses), Methods: c.Methods}
}

// filled checks a list that is empty only by mistake.
func (r *reader) filled(field string, items []string) {
	if items != nil && len(items) == 0 {
		r.refuse(field, "is empty, which would allow everything; leave the key out if that is meant")
	}
}

func (r *reader) networks(field string, items []string) []netip.Prefix {
	if len(items) > maxItems {
		r.refuse(field, "has %d items; expected at most %d", len(items), maxItems)
		return nil
	}
	networks := make([]strictyaml.Network, len(items))
	for i, item := range items {
		if err := networks[i].UnmarshalText([]byte(item)); err != nil {
			r.refuse(itemOf(field, i), "%s", err)
		}
	}
	return strictyaml.Prefixes(networks)
}
