package policy

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// FurtherPlaces are the paths below data, such as "shop/orders", at which
// further data stands: files of Options.Data, and bundles of data alone. Names
// in them are escaped as in a URL. They are sorted.
func (s *Snapshot) FurtherPlaces() []string { return s.content.furtherPlaces() }

// Lacking are those of some places at which it has no further data.
func (s *Snapshot) Lacking(places []string) (lacking []string) {
	has := s.content.furtherPlaces()
	for _, place := range places {
		if !slices.ContainsFunc(has, func(at string) bool {
			return at == place || strings.HasPrefix(place, at+"/") && s.content.furtherReaches(place)
		}) {
			lacking = append(lacking, place)
		}
	}
	return lacking
}

func (c *content) furtherPlaces() []string {
	places := map[string]bool{}
	for _, d := range c.datasets {
		if d.further && d.info != nil { // what has none is of a bundle
			d.placesInto(places)
		}
	}
	for _, b := range c.bundles {
		if b.Further() {
			b.placesInto(places)
		}
	}
	return slices.Sorted(maps.Keys(places))
}

func (d *dataset) placesInto(places map[string]bool) {
	if len(d.at) == 0 {
		namesInto(places, d.value)
		return
	}
	places[placeOf(d.at)] = true
}

func (b *Bundle) placesInto(places map[string]bool) {
	for _, root := range b.Roots {
		if at := segments(root); len(at) > 0 {
			places[placeOf(at)] = true
			continue
		}
		namesInto(places, b.Data)
	}
}

// namesInto is for a document at the top: it stands where its names are.
func namesInto(places map[string]bool, value ast.Value) {
	object, isObject := value.(ast.Object)
	if !isObject {
		return
	}
	object.Foreach(func(key, _ *ast.Term) {
		if name, isText := key.Value.(ast.String); isText {
			places[placeOf([]string{string(name)})] = true
		}
	})
}

func placeOf(at []string) string {
	escaped := make([]string, len(at))
	for i, name := range at {
		escaped[i] = url.PathEscape(name)
	}
	return strings.Join(escaped, "/")
}

// furtherReaches reports whether the further data has a value at a place.
func (c *content) furtherReaches(place string) bool {
	at := strings.Split(place, "/")
	for i := range at {
		if name, err := url.PathUnescape(at[i]); err == nil {
			at[i] = name
		}
	}
	return slices.ContainsFunc(c.datasets, func(d *dataset) bool {
		part, ok := d.rooted()
		return ok && d.further && reaches(part.value, at)
	})
}
