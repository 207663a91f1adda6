package importer

import (
	"encoding/base64"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// objectName is a Kubernetes object's namespace and name.
type objectName struct{ namespace, name string }

// defaultNamespace is that of an object that names none.
const defaultNamespace = "default"

func nameOf(object field) objectName {
	metadata := object.at("metadata")
	name := objectName{metadata.at("namespace").text(), metadata.at("name").text()}
	if name.namespace == "" {
		name.namespace = defaultNamespace
	}
	return name
}

// username is what APISIX's ingress controller calls a consumer.
func (n objectName) username() string { return n.namespace + "_" + n.name }

// readCRD reads an object of Kubernetes, or a List of them. Consumers wait for
// all Secrets of the stream.
func (r *reader) readCRD(doc document) { r.object(doc.root) }

func (r *reader) object(at field) {
	if !at.mapping() {
		return
	}
	version, kind := at.at("apiVersion").text(), at.at("kind").text()
	switch {
	case version == "" || kind == "":
		at.problem("expected an object of Kubernetes, with apiVersion and kind")
	case version == "v1" && (kind == "List" || kind == "SecretList") || kind == "ApisixConsumerList" || kind == "ConsumerList":
		for _, item := range at.at("items").items() {
			r.object(item)
		}
	case version == "v1" && kind == "Secret":
		r.secretObject(at)
	case kind == "ApisixConsumer" || kind == "Consumer" && strings.HasPrefix(version, "apisix.apache.org/"):
		r.later = append(r.later, func() { r.consumerObject(at, version, kind) })
	default:
		r.ignored(at, kind+"/"+nameOf(at).name)
	}
}

func (r *reader) consumerObject(at field, version, kind string) {
	name := nameOf(at)
	switch {
	case name.name == "":
		at.problem("lacks the key %q", "metadata.name")
	case !at.at("spec").has():
		at.problem("lacks the key %q", "spec")
	case kind == "ApisixConsumer" && version == "apisix.apache.org/v2":
		r.consumerV2(at, name)
	case kind == "Consumer" && version == "apisix.apache.org/v1alpha1":
		r.consumerV1alpha1(at, name)
	default:
		at.at("apiVersion").problem("%.80q of %s is not known; expected apisix.apache.org/v2 for ApisixConsumer, apisix.apache.org/v1alpha1 for Consumer", version, kind)
	}
}

// objectConsumer begins a consumer of either kind.
func (r *reader) objectConsumer(at field, name objectName) *draft {
	d := r.consumer(at, name.username())
	if d == nil {
		return nil
	}
	if strings.Contains(name.username(), "-") {
		d.changes(at, "ingress controllers before version 2 call it %.80q, with _ for -", strings.ReplaceAll(name.username(), "-", "_"))
	}
	metadata := at.at("metadata")
	d.labels(metadata.at("labels"))
	for _, annotation := range metadata.at("annotations").entries() {
		d.lost(annotation.field, "annotation "+annotation.key, "annotations do not come over")
	}
	return d
}

// parameters are the kinds of authParameter in the order in which the first
// wins, with the plugin that each is.
var parameters = []struct{ name, plugin string }{
	{"keyAuth", "key-auth"}, {"basicAuth", "basic-auth"}, {"jwtAuth", "jwt-auth"},
	{"wolfRBAC", "wolf-rbac"}, {"hmacAuth", "hmac-auth"}, {"ldapAuth", "ldap-auth"},
}

func (r *reader) consumerV2(at field, name objectName) {
	d := r.objectConsumer(at, name)
	if d == nil {
		return
	}
	spec := at.at("spec")
	for _, group := range spec.at("groups").texts() {
		d.group(group)
	}
	list := d.objectPlugins(spec.at("plugins"), name.namespace)
	d.apply(list)
	d.limit(list, nil)
	d.parameter(spec.at("authParameter"), name.namespace)
	d.unread(spec, "groups", "plugins", "authParameter", "ingressClassName")
}

// parameter reads the first kind that is there.
func (d *draft) parameter(at field, namespace string) {
	found := false
	var known []string
	for _, kind := range parameters {
		known = append(known, kind.name)
		here := at.at(kind.name)
		switch {
		case !here.has():
		case found:
			d.lost(here, kind.name, "only the first of a consumer's authParameter counts")
		default:
			found = true
			d.valued(here, kind.plugin, namespace)
		}
	}
	d.unread(at, known...)
}

// valued reads a value, or what a Secret holds in place of it.
func (d *draft) valued(at field, plugin, namespace string) {
	id := credentialID(d.Name, plugin)
	config, ok := at.at("value"), true
	if ref := at.at("secretRef"); !config.has() {
		config, ok = d.secretAt(ref, objectName{namespace, ref.at("name").text()})
	} else if ref.has() {
		d.lost(ref, "secretRef", "a value stands beside it and wins")
	}
	switch {
	case !ok:
		d.candidate(at, authentications[plugin].kind, id).cannot(at, "it has neither a value nor a Secret in the documents; nothing is taken for the value")
	case config.mapping():
		d.authentication(config, plugin, id)
	}
	d.unread(at, "value", "secretRef")
}

func (r *reader) consumerV1alpha1(at field, name objectName) {
	d := r.objectConsumer(at, name)
	if d == nil {
		return
	}
	spec := at.at("spec")
	if gateway := spec.at("gatewayRef"); gateway.has() {
		d.changes(gateway, "it was for the gateway %.80q alone; here it is for every route that believes it", gateway.at("name").text())
	}
	for _, credential := range spec.at("credentials").items() {
		d.objectCredential(credential, name.namespace)
	}
	list := d.objectPlugins(spec.at("plugins"), name.namespace)
	d.apply(list)
	d.limit(list, nil)
	d.unread(spec, "gatewayRef", "credentials", "plugins")
}

func (d *draft) objectCredential(at field, namespace string) {
	config, kind := at.at("config"), at.at("type").text()
	id := credentialID(d.Name, kind)
	if name := at.at("name").text(); name != "" {
		id = credentialID(d.Name, name)
	}
	ref, ok := at.at("secretRef"), true
	if !config.has() {
		name := objectName{namespace, ref.at("name").text()}
		if other := ref.at("namespace").text(); other != "" {
			name.namespace = other
		}
		config, ok = d.secretAt(ref, name)
	} else if ref.has() {
		d.lost(ref, "secretRef", "a config stands beside it and wins")
	}
	switch {
	case kind == "":
		at.problem("lacks the key %q", "type")
	case !ok:
		d.candidate(at, authentications[kind].kind, id).cannot(at, "it has neither a config nor a Secret in the documents; nothing is taken for the value")
	case config.mapping():
		d.authentication(config, kind, id)
	}
	d.unread(at, "type", "name", "config", "secretRef")
}

// objectPlugins are those of a list; what a Secret holds beats the config, as
// in the ingress controller.
func (d *draft) objectPlugins(at field, namespace string) []plugin {
	var list []plugin
	for _, item := range at.items() {
		p := plugin{name: item.at("name").text(), at: item.at("config"), disabled: !item.at("enable").flag(true)}
		if p.name == "" {
			item.problem("lacks the key %q", "name")
			continue
		}
		if ref := item.at("secretRef"); ref.has() {
			secret, ok := d.secretAt(ref, objectName{namespace, ref.at("name").text()})
			if !ok {
				d.lost(ref, p.name, "the plugin's Secret is in none of the documents, so the plugin is left out")
				continue
			}
			p.at = secret.over(p.at)
		}
		if !p.at.has() {
			p.at = item
			p.at.node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: item.line}
		}
		if p.at.mapping() {
			list = append(list, p)
		}
	}
	return list
}

// over puts the keys of this mapping before those of another.
func (f field) over(other field) field {
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: f.line}
	merged.Content = slices.Clone(f.node.Content)
	here := map[string]bool{}
	for _, e := range f.entries() {
		here[e.key] = true
	}
	for _, e := range other.entries() {
		if !here[e.key] && e.has() {
			merged.Content = append(merged.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.key, Line: f.line}, e.node)
		}
	}
	f.node = merged
	return f
}

// secretAt is what a Secret holds, as a mapping that stands where it is named.
func (r *reader) secretAt(ref field, name objectName) (field, bool) {
	data, ok := r.secrets[name]
	if !ok || !ref.has() {
		return ref, false
	}
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: ref.line}
	for _, key := range sorted(data) {
		for _, text := range []string{key, data[key]} {
			mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: ref.line})
		}
	}
	ref.node, ref.fromSecret = mapping, true
	return ref, true
}

// secretObject keeps a Secret for those that name it.
func (r *reader) secretObject(at field) {
	name, values := nameOf(at), map[string]string{}
	if first, free := r.take("secret\x00"+name.namespace+"\x00"+name.name, at.place()); !free {
		at.problem("the Secret stands already at %s:%d", first.file, first.line)
		return
	}
	for _, e := range at.at("data").entries() {
		value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.text()), ""))
		if err != nil {
			e.problem("expected base64")
		}
		values[e.key] = string(value)
	}
	for _, e := range at.at("stringData").entries() {
		values[e.key] = e.text()
	}
	r.secrets[name] = values
}
