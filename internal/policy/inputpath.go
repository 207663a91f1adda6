package policy

import "slices"

// anyNames are the fields of the input below which names are free: others write
// them, such as clients, gateways and issuers.
var anyNames = []string{
	"contextExtensions", "metadataContext", "routeMetadataContext", "tlsSession", "headers", "labels", "attributes", "claims", "params", "parsed_query", "parsed_body",
}

// HasInput reports whether policy's input can have a field at a path of names.
func HasInput(path []string) bool {
	f := inputFields(nil)
	for i, name := range path {
		at := slices.IndexFunc(f.fields, func(below field) bool { return below.name == name })
		if at < 0 {
			return i > 0 && len(f.fields) == 0 && slices.Contains(anyNames, f.name)
		}
		f = &f.fields[at]
	}
	return len(path) > 0
}
