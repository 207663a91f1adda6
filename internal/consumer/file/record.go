package file

import (
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// consumer checks one consumer and adds its credentials to the snapshot.
func (l *loader) consumer(s source, r *record) {
	l.snapshot.consumers++
	owner, problems := s.declared(r).Read(rules.Written{Has: s.has})
	s.refuseAll(problems)
	s.at("name").name(r.Name, "consumer")
	s.snapshot.found[consumer.NameReference(r.Name)] = &consumer.Found{Consumer: owner}
	for i := range r.Credentials {
		place := s.at("credentials").item(i)
		place.leaf = false
		place.credential(owner, &r.Credentials[i])
	}
}

// declared is the consumer in the words of the rules.
func (s source) declared(r *record) *rules.Consumer {
	return &rules.Consumer{
		Name: r.Name, DisplayName: r.DisplayName, Enabled: s.enabled(r.Enabled), Environment: r.Environment,
		Labels: r.Labels, Groups: r.Groups, Roles: r.Roles, Attributes: r.Attributes,
		Constraints: s.constraints(&r.Constraints),
	}
}

// enabled is nil where it was left out.
func (s source) enabled(value bool) *bool {
	if !s.has("enabled") {
		return nil
	}
	return &value
}

// constraints are nil when there are none, or when the decoder could not read
// them.
func (s source) constraints(c *constraints) *rules.Constraints {
	if !s.has("constraints") {
		return nil
	}
	s = s.at("constraints")
	if s.has("addresses") && c.Addresses == nil || s.has("methods") && c.Methods == nil {
		return nil
	}
	var addresses []string
	if c.Addresses != nil {
		addresses = []string{}
	}
	for _, network := range strictyaml.Prefixes(c.Addresses) {
		addresses = append(addresses, network.String())
	}
	return &rules.Constraints{Addresses: addresses, Methods: c.Methods}
}

// refuseAll notes what the rules refuse of what stands here.
func (s source) refuseAll(problems []rules.Problem) {
	for _, p := range problems {
		if p.Field == "" {
			s.problem("%s", p.Text)
		} else {
			s.at(p.Field).problem("%s", p.Text)
		}
	}
}

// name takes a name or id, which is one of its kind in all files. Two that
// differ in case alone would be one to somebody, so they are refused too.
func (s source) name(name, kind string) {
	if consumer.ValidName(name) {
		s.take(kind+"\x00"+strings.ToLower(name), fmt.Sprintf("the %s %q", kind, name))
	}
}
