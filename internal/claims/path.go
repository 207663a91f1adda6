package claims

import "strings"

// At returns the value at a dotted path, such as realm_access.roles. A name in
// the path may hold dots itself (a Keycloak client "orders.api", a name that is
// a URL): at every level the longest name that is there wins, so that the path
// resource_access.orders.api.roles finds it. Nothing there: ok is false.
func At(object map[string]any, path string) (value any, ok bool) {
	if value, ok = object[path]; ok {
		return value, true
	}
	for dot := strings.LastIndexByte(path, '.'); dot > 0; dot = strings.LastIndexByte(path[:dot], '.') {
		inner, nested := object[path[:dot]].(map[string]any)
		if !nested {
			continue
		}
		if value, ok = At(inner, path[dot+1:]); ok {
			return value, true
		}
	}
	return nil, false
}

// List gathers the strings at several paths: a list of strings, or one
// string. Missing and null are an empty list. Anything else is an error rather
// than nothing: a policy may deny by what it can't see then.
func List(object map[string]any, paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		value, _ := At(object, path)
		switch v := value.(type) {
		case nil:
		case string:
			out = append(out, v)
		case []any:
			list, ok := texts(v)
			if !ok {
				return nil, Malformed("claim " + path + " is not a list of strings")
			}
			out = append(out, list...)
		default:
			return nil, Malformed("claim " + path + " is not a list of strings")
		}
	}
	return out, nil
}

// Scopes is List for scopes, where one string holds several, parted by
// spaces (RFC 8693 section 4.2).
func Scopes(object map[string]any, paths []string) ([]string, error) {
	list, err := List(object, paths)
	var out []string
	for _, item := range list {
		for _, scope := range strings.Split(item, " ") {
			if scope != "" {
				out = append(out, scope)
			}
		}
	}
	return out, err
}
