package importer

import (
	"regexp"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// readDeck reads Kong's declarative file. Older versions name some things
// otherwise, and decK itself converts them.
func (r *reader) readDeck(doc document) {
	if !doc.root.mapping() {
		return
	}
	version := doc.root.at("_format_version")
	if version.text() != "3.0" {
		version.problem("is not 3.0; convert the file with `deck file convert --from kong-gateway-2.x --to kong-gateway-3.x`, or dump it with a decK of today")
		return
	}
	for _, item := range doc.root.at("consumer_groups").items() {
		r.kongGroup(item)
	}
	for _, item := range doc.root.at("consumers").items() {
		r.kongConsumer(item)
	}
	for _, item := range doc.root.at("plugins").items() {
		r.later = append(r.later, func() { r.kongPlugin(item) })
	}
	r.beforeConsumers(doc.root)
	for _, other := range doc.root.others(append(kongLists(), "_format_version", "_info", "_transform", "_comment", "_konnect", "_workspace", "consumers", "consumer_groups", "plugins")...) {
		r.ignored(other, other.path)
	}
}

func (r *reader) kongGroup(at field) {
	name := at.at("name").text()
	switch first, free := r.take("group\x00"+name, at.place()); {
	case name == "":
		at.problem("lacks the key %q", "name")
		return
	case !free:
		at.problem("the group stands already at %s:%d", first.file, first.line)
		return
	}
	g := &group{id: name, at: at, plugins: kongPlugins(at.at("plugins"))}
	r.groups[name] = g
	r.lostOfGroup(g)
	for _, member := range at.at("consumers").items() {
		r.later = append(r.later, func() { r.member(g, member) })
	}
}

// member puts a consumer that a group lists into the group.
func (r *reader) member(g *group, at field) {
	d := r.named[at.either("username", "custom_id").text()]
	if d == nil {
		r.note(Cannot, "object", "consumer_groups/"+g.id, "", at.place(), "a member is a consumer that is in none of the documents")
		return
	}
	d.group(g.id)
}

func kongPlugins(at field) []plugin {
	var list []plugin
	for _, item := range at.items() {
		p := plugin{name: item.at("name").text(), at: item.at("config"), disabled: !item.at("enabled").flag(true)}
		if p.name == "" {
			item.problem("lacks the key %q", "name")
			continue
		}
		if !p.at.has() {
			p.at.path, p.at.line = item.path, item.line
		}
		list = append(list, p)
	}
	return list
}

func (r *reader) kongConsumer(at field) {
	name := at.either("username", "custom_id").text()
	if !at.mapping() || name == "" {
		at.problem("expected a consumer with username or custom_id")
		return
	}
	d := r.consumer(at, name)
	if d == nil {
		return
	}
	if id := at.at("custom_id").text(); id != "" {
		d.label(at.at("custom_id"), customIDLabel, id)
	}
	if id := at.at("id").text(); id != "" {
		d.label(at.at("id"), kongIDLabel, id)
	}
	if tags := at.at("tags").texts(); len(tags) > 0 {
		d.label(at.at("tags"), tagsLabel, strings.Join(tags, ","))
	}
	d.kongCredentials(at)
	d.kongGroups(at)
	list := kongPlugins(at.at("plugins"))
	d.kongApply(list)
	r.later = append(r.later, func() { d.kongLimits(list) })
	d.unread(at, append(kongLists(), "id", "username", "custom_id", "tags", "groups", "plugins", "created_at")...)
}

// kongGroups keeps the two kinds of group apart: those of the ACL plugin get
// the prefix "acl:".
func (d *draft) kongGroups(at field) {
	for _, item := range at.at("groups").items() {
		d.group(item.at("name").text())
	}
	for _, item := range at.at("acls").items() {
		d.acl(item)
	}
}

func (d *draft) acl(at field) {
	if name := at.at("group").text(); name != "" {
		d.group("acl:" + name)
		d.changes(at, "the ACL group %.80q is the group %.80q, apart from the consumer groups; routes ask for it with require.groups", name, "acl:"+name)
	}
}

func (d *draft) kongApply(list []plugin) {
	for _, p := range list {
		switch {
		case p.disabled:
			d.lost(p.at, p.name, "the plugin is disabled there, so it is left out")
		case isLimit(p.name):
		case p.name == "ip-restriction":
			d.addresses(p.at.at("allow"), p.at.at("deny"))
		default:
			d.lost(p.at, p.name, "the plugin has no like here; what it did for this consumer is for the gateway or for policy to do")
		}
	}
}

// kongLimits puts the consumer on a plan. Of several groups that limit, one
// counts here.
func (d *draft) kongLimits(own []plugin) {
	var first *group
	for _, name := range d.Groups {
		g := d.groups[name]
		switch {
		case g == nil || len(inherited(nil, g.plugins)) == 0:
		case first == nil:
			first = g
		default:
			d.changes(d.at, "it is in several groups that may limit; the limits of %.80q count, those of %.80q do not", first.id, g.id)
		}
	}
	d.limit(own, first)
}

// kongPlugin reads a plugin that stands apart from the consumer that it is for.
func (r *reader) kongPlugin(at field) {
	name := at.at("consumer")
	if !name.has() {
		r.ignored(at, "plugins/"+at.at("name").text())
		return
	}
	d := r.named[name.text()]
	if d == nil {
		name.problem("names a consumer that is in none of the documents")
		return
	}
	d.lost(at, at.at("name").text(), "the plugin stands apart from its consumer; put it under the consumer's plugins, where it is read")
}

// sha1Form is what Kong makes of a password.
var sha1Form = regexp.MustCompile(`^[0-9a-f]{40}$`)

// kongPassword tells a dumped password, which is hex(SHA1(password +
// consumer id)), from one that a person wrote.
func (c *candidate) kongPassword(at field, consumerID string) {
	value, ok := c.secret(at, "password")
	switch text := string(value.Reveal()); {
	case !ok:
	case !sha1Form.MatchString(strings.ToLower(text)):
		c.password(at)
	case consumerID == "":
		c.cannot(at, "its password is a hash that needs the consumer's id, which the file lacks; dump it with `deck gateway dump --with-id`")
	default:
		c.PasswordHash = access.NewSecret("$kong$" + consumerID + "$" + strings.ToLower(text))
		c.changes(at, "its password comes as Kong's salted SHA-1, which is quick to guess from a stolen store; new passwords are argon2id")
	}
}

// kongLife is when a key ends: ttl seconds after it was made.
func (c *candidate) kongLife(at field) {
	ttl, made := at.at("ttl"), at.at("created_at")
	if ttl.whole() == 0 {
		return
	}
	switch end := time.Unix(made.whole(), 0).Add(time.Duration(ttl.whole()) * time.Second).UTC(); {
	case ttl.whole() < 0 || ttl.whole() > 1e9 || made.whole() < 0 || made.whole() > 1e11:
		at.problem("expected ttl and created_at in seconds")
	case !made.has():
		c.cannot(ttl, "it has a ttl and no created_at, so nobody can tell when it ends")
	case !end.After(c.Now):
		c.cannot(ttl, "it ended at %s", end.Format(time.RFC3339))
	default:
		c.ExpiresAt = end
		c.changes(ttl, "its ttl becomes expires_at %s", end.Format(time.RFC3339))
	}
}
