package extauthz

import (
	"net/url"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/postern-authz/postern/internal/access"
)

// changeQuery renders what is set in and removed from the query. Envoy pastes
// what it is given, so names and values are escaped here; and it compares
// names as they are spelt on the wire, so every spelling in the request of a
// name that is removed or replaced ("api%5Fkey") is removed by itself.
func changeQuery(v *access.Verdict, query string) ([]*corev3.QueryParameter, []string, error) {
	if len(v.SetQuery) == 0 && len(v.RemoveQuery) == 0 {
		return nil, nil, nil
	}
	set := make([]*corev3.QueryParameter, 0, len(v.SetQuery))
	gone := slices.Clone(v.RemoveQuery)
	for _, p := range v.SetQuery {
		set = append(set, &corev3.QueryParameter{Key: url.QueryEscape(p.Name), Value: url.QueryEscape(p.Value)})
		gone = append(gone, p.Name)
	}
	remove := make([]string, 0, len(gone))
	for _, name := range append(spellings(query, gone), v.RemoveQuery...) {
		if !slices.Contains(remove, name) && !isSet(set, name) {
			remove = append(remove, name)
		}
	}
	for _, name := range remove {
		if err := checkText("a query parameter's name", name); err != nil {
			return nil, nil, err
		}
	}
	return set, remove, nil
}

// spellings returns the raw names in the query that mean one of the names.
func spellings(query string, names []string) []string {
	var raw []string
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil && slices.Contains(names, decoded) {
			raw = append(raw, name)
		}
	}
	return raw
}

func isSet(set []*corev3.QueryParameter, name string) bool {
	return slices.ContainsFunc(set, func(p *corev3.QueryParameter) bool { return p.GetKey() == name })
}
