package importer

func (r *reader) readPostern(doc document) { doc.root.problem("not yet") }
