package importer

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

// The labels that keep what a consumer was called there.
const (
	originalLabel = "original_name"
	customIDLabel = "custom_id"
	kongIDLabel   = "kong_id"
	tagsLabel     = "tags"
)

// draft is a consumer that is being read.
type draft struct {
	rules.Consumer
	*reader
	at          field
	credentials []rules.Credential
	// refused: it can't come over, and so none of its credentials can.
	refused bool
}

// consumer begins a consumer by its name there. Nil: it is declared already,
// which is noted as a problem.
func (r *reader) consumer(at field, original string) *draft {
	if first, ok := r.take("consumer\x00"+original, at.place()); !ok {
		at.problem("the consumer stands already at %s:%d", first.file, first.line)
		return nil
	}
	d := &draft{reader: r, at: at}
	d.Environment = r.Environment
	d.Name = r.nameOf(original)
	r.named[original], r.folded[lower(d.Name)] = d, d
	r.drafts = append(r.drafts, d)
	if d.Name != original {
		d.label(at, originalLabel, original)
		d.changes(at, "its name there is no name here, or another's in another case; policies and upstreams see this one, and the label %s", originalLabel)
	}
	return d
}

// nameOf is the name here. Two names that differ in case alone would be one, so
// the second is told apart by its digest.
func (r *reader) nameOf(original string) string {
	name := validName(original)
	if _, taken := r.folded[lower(name)]; taken {
		return distinct(original)
	}
	return name
}

func (d *draft) changes(at field, format string, args ...any) {
	d.note(Changes, "consumer", d.Name, "", at.place(), format, args...)
}

func (d *draft) cannot(at field, format string, args ...any) {
	d.refused = true
	d.note(Cannot, "consumer", d.Name, "", at.place(), format, args...)
}

// lost notes a part of the consumer that does not come over.
func (d *draft) lost(at field, what, format string, args ...any) {
	d.note(Cannot, "field", what, d.Name, at.place(), format, args...)
}

// label sets a label whose name is valid.
func (d *draft) label(at field, name, value string) {
	if d.Labels == nil {
		d.Labels = map[string]string{}
	}
	if _, taken := d.Labels[name]; taken {
		d.lost(at, name, "the label %s is set already", name)
		return
	}
	d.Labels[name] = value
}

// labels takes a mapping of labels, whose names may be what is no name here:
// "app.kubernetes.io/name" becomes "app.kubernetes.io_name". A list of values,
// which ADC allows, is joined with commas.
func (d *draft) labels(at field) {
	for _, e := range at.entries() {
		name := labelName(e.key)
		if name != e.key {
			d.changes(e.field, "the label %.80q is called %.80q here", e.key, name)
		}
		d.label(e.field, name, e.labelValue())
	}
}

func (f field) labelValue() string {
	if f.isList() {
		return strings.Join(f.texts(), ",")
	}
	return f.text()
}

func labelName(key string) string {
	return validName(strings.ReplaceAll(key, "/", "_"))
}

// maxGroups is more than a consumer may have.
const maxGroups = 1000

// group adds a group, once. Beyond the bound the rules refuse the consumer
// anyway.
func (d *draft) group(name string) {
	if name != "" && len(d.Groups) < maxGroups && !slices.Contains(d.Groups, name) {
		d.Groups = append(d.Groups, name)
	}
}

// finish checks the consumer, and adds it to the plan.
func (d *draft) finish() {
	_, problems := d.Read(rules.Written{})
	for _, problem := range problems {
		d.cannot(d.at, "%s %s", problem.Field, problem.Text)
	}
	if d.refused {
		for _, c := range d.credentials {
			d.note(Cannot, "credential", c.ID, d.Name, d.at.place(), "its consumer can't come over")
		}
		return
	}
	if len(d.Labels) == 0 {
		d.Labels = nil
	}
	d.plan.Consumers = append(d.plan.Consumers, keyring.Import{Consumer: d.Consumer, Credentials: d.credentials})
	d.note(Comes, "consumer", d.Name, "", d.at.place(), "")
}

// finishPlans adds the plans that consumers are on, by name, and each to its
// consumers.
func (r *reader) finishPlans() {
	byName := map[string]*consumer.Plan{}
	for _, p := range r.plans {
		byName[p.Name] = p
	}
	used := map[string]bool{}
	for i := range r.plan.Consumers {
		c := &r.plan.Consumers[i]
		if p := byName[c.Consumer.Plan]; p != nil && c.Consumer.Plan != "" {
			c.Plan, used[p.Name] = p, true
		}
	}
	for _, name := range sorted(used) {
		r.plan.Plans = append(r.plan.Plans, *byName[name])
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
