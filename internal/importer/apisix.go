package importer

import (
	"bytes"
	"strings"
)

// group is a consumer group of APISIX or Kong.
type group struct {
	id      string
	plugins []plugin
	at      field
}

// readAPISIX reads a standalone document, or an answer of the Admin API. A
// standalone YAML file ends with #END: one that does not was cut off, and
// APISIX itself does not read it.
func (r *reader) readAPISIX(doc document) {
	switch {
	case doc.root.at("list").has():
		r.answers(doc.root.at("list").items())
	case doc.root.at("value").has():
		r.answers([]field{doc.root})
	case !isJSON(doc.Data) && !ended(doc.Data):
		doc.root.problem("does not end with a line #END, so it may be cut off")
	default:
		r.readADC(doc)
	}
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

func ended(data []byte) bool {
	data = bytes.TrimRight(data, " \t\r\n")
	return bytes.HasSuffix(data, []byte("\n#END")) || bytes.Equal(data, []byte("#END"))
}

// answers reads objects of the Admin API, each under "value" with its path in
// etcd under "key": "/apisix/consumers/alice/credentials/one".
func (r *reader) answers(items []field) {
	for _, item := range items {
		value, path := item.at("value"), item.at("key").text()
		_, path, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		switch kind, id, _ := strings.Cut(path, "/"); {
		case !value.mapping() || !found:
			item.problem("expected an object of the Admin API, with key and value")
		case kind == "consumers" && strings.Contains(id, "/credentials/"):
			r.later = append(r.later, func() { r.beside(value, id) })
		case kind == "consumers":
			r.apisixConsumer(value, field{})
		case kind == "consumer_groups":
			r.addGroup(value, id)
		default:
			r.ignored(value, kind)
		}
	}
}

// readADC reads the lists of ADC and of APISIX itself, which are alike but for
// a few names.
func (r *reader) readADC(doc document) {
	if !doc.root.mapping() {
		return
	}
	for _, item := range doc.root.at("consumer_groups").items() {
		r.addGroup(item, item.either("id", "name").text())
		for _, member := range item.at("consumers").items() {
			r.apisixConsumer(member, item.either("id", "name"))
		}
	}
	for _, item := range doc.root.at("consumers").items() {
		if id := item.at("id").text(); strings.Contains(id, "/credentials/") {
			r.later = append(r.later, func() { r.beside(item, id) })
			continue
		}
		r.apisixConsumer(item, field{})
	}
	for _, other := range doc.root.others("consumers", "consumer_groups") {
		r.ignored(other, other.path)
	}
}

// ignored notes what has nothing to do with consumers.
func (r *reader) ignored(at field, what string) {
	r.note(Cannot, "object", what, "", at.place(), "is no consumer; it stays with the gateway")
}

// either is the place under the first of two keys that is there.
func (f field) either(first, second string) field {
	if f.at(first).has() {
		return f.at(first)
	}
	return f.at(second)
}

func (r *reader) addGroup(at field, id string) {
	switch first, free := r.take("group\x00"+id, at.place()); {
	case id == "":
		at.problem("lacks the key %q", "id")
	case !free:
		at.problem("the group stands already at %s:%d", first.file, first.line)
	default:
		g := &group{id: id, at: at, plugins: plugins(at.at("plugins"))}
		r.groups[id] = g
		r.lostOfGroup(g)
	}
}

// lostOfGroup notes what a group does beside limiting.
func (r *reader) lostOfGroup(g *group) {
	for _, p := range g.plugins {
		if !isLimit(p.name) && !p.disabled {
			r.note(Cannot, "object", "consumer_groups/"+g.id, "", p.at.place(), "the plugin %.80q of the group has no like here; let policy ask for the group", p.name)
		}
	}
}

// apisixConsumer reads a consumer, which names its group unless it stands within
// it.
func (r *reader) apisixConsumer(at, within field) {
	name := at.at("username")
	if !at.mapping() || name.text() == "" {
		at.problem("lacks the key %q", "username")
		return
	}
	d := r.consumer(at, name.text())
	if d == nil {
		return
	}
	d.DisplayName = at.either("desc", "description").text()
	d.labels(at.at("labels"))
	list := plugins(at.at("plugins"))
	d.apply(list)
	for _, credential := range at.at("credentials").items() {
		d.typed(credential)
	}
	d.unread(at, "username", "desc", "description", "labels", "plugins", "credentials", "group_id", "id", "create_time", "update_time")
	if id := at.at("group_id"); id.has() {
		within = id
	}
	r.later = append(r.later, func() { d.joins(list, within) })
}

// joins puts the consumer into its group and on its plan.
func (d *draft) joins(own []plugin, id field) {
	g := d.groups[id.text()]
	if id.has() && g == nil {
		d.lost(id, "group_id", "the group is in none of the documents; its limits do not come over")
	}
	d.group(id.text())
	d.limit(own, g)
}

// typed reads a credential that says what it is: of ADC, and of the Consumer
// object of Kubernetes.
func (d *draft) typed(at field) {
	name, kind := at.at("name").text(), at.at("type").text()
	if name == "" || kind == "" {
		at.problem("expected a credential with name and type")
		return
	}
	config := at.at("config")
	if config.mapping() {
		d.authentication(config, kind, credentialID(d.Name, name))
	}
	d.unread(at, "name", "type", "config", "id", "description", "labels")
}

// beside reads a credential that stands beside its consumer, under the id
// "alice/credentials/one".
func (r *reader) beside(at field, id string) {
	owner, id, _ := strings.Cut(id, "/credentials/")
	d := r.named[owner]
	if d == nil {
		at.problem("is a credential of a consumer that is in none of the documents")
		return
	}
	list := plugins(at.at("plugins"))
	if len(list) != 1 {
		at.problem("expected one plugin, found %d", len(list))
		return
	}
	if list[0].disabled {
		d.lost(list[0].at, list[0].name, "the plugin is disabled there, so it is left out")
		return
	}
	d.authentication(list[0].at, list[0].name, credentialID(d.Name, id))
	d.unread(at, "id", "name", "plugins", "desc", "labels", "create_time", "update_time")
}
