package importer

// read reads a document of the format.
func (f Format) read(r *reader, doc document) {
	switch f {
	case APISIXCRD:
		r.readCRD(doc)
	case APISIX:
		r.readAPISIX(doc)
	case ADC:
		r.readADC(doc)
	case Deck:
		r.readDeck(doc)
	case Postern:
		r.readPostern(doc)
	default:
		doc.root.problem("can't be told apart: expected the objects of Kubernetes, an apisix.yaml that ends with #END, an ADC, a decK or a Postern file; name the format if it is one of them")
	}
}

// detect tells the format by what only one of them has. Auto: nothing does.
func detect(data []byte, root field) Format {
	switch {
	case root.at("apiVersion").has() && root.at("kind").has():
		return APISIXCRD
	case root.at("_format_version").has():
		return Deck
	case root.at("list").has(), root.at("value").has(), ended(data):
		return APISIX
	}
	return detectConsumers(data, root)
}

// detectConsumers looks at the lists. What might be an apisix.yaml that was cut
// off before its #END is taken for nothing.
func detectConsumers(data []byte, root field) Format {
	for _, item := range root.peek("consumers") {
		switch {
		case item.at("name").has() && !item.at("username").has():
			return Postern
		case item.at("credentials").has(), item.at("description").has():
			return ADC
		case item.at("username").has() && isJSON(data):
			return APISIX
		}
	}
	for _, item := range root.peek("consumer_groups") {
		if item.at("name").has() {
			return ADC
		}
	}
	if root.at("services").has() && !root.at("routes").has() && !root.at("upstreams").has() {
		return ADC
	}
	return Auto
}

// peek lists what stands in a list, and is silent where there is none.
func (f field) peek(key string) []field {
	list := f.at(key)
	if !list.isList() {
		return nil
	}
	var items []field
	for _, n := range list.node.Content {
		items = append(items, list.on(n, n.Line))
	}
	return items
}
