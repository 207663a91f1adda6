package importer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/importer"
	"github.com/postern-authz/postern/internal/strictyaml"
)

func FuzzAPISIXCRD(f *testing.F) { fuzzFormat(f, importer.APISIXCRD) }
func FuzzAPISIX(f *testing.F)    { fuzzFormat(f, importer.APISIX) }
func FuzzADC(f *testing.F)       { fuzzFormat(f, importer.ADC) }
func FuzzDeck(f *testing.F)      { fuzzFormat(f, importer.Deck) }
func FuzzPostern(f *testing.F)   { fuzzFormat(f, importer.Postern) }
func FuzzAuto(f *testing.F)      { fuzzFormat(f, importer.Auto) }

// fuzzFormat holds a reader to what every plan keeps: it makes a plan or names
// the place of every problem; what comes over is what the rules let in, under
// names that are there once; the same document makes the same plan.
func fuzzFormat(f *testing.F, format importer.Format) {
	for path, of := range documents(f) {
		if of == format || format == importer.Auto {
			f.Add(source(f, path).Data)
		}
	}
	f.Add([]byte("- &a [*a]"))
	f.Add([]byte("consumers: [{username: a, plugins: {key-auth: null}}]\n#END"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sources := []importer.Source{{Name: "d", Data: data}}
		plan, err := importer.Read(format, sources, options())
		if err != nil {
			placed(t, plan, err)
			return
		}
		sound(t, plan)
		again, err := importer.Read(format, sources, options())
		if err != nil || !bytes.Equal(printed(t, plan), printed(t, again)) {
			t.Fatalf("another plan of the same document, %v", err)
		}
	})
}

func placed(t *testing.T, plan *importer.Plan, err error) {
	var problems strictyaml.Errors
	if plan != nil || !errors.As(err, &problems) {
		t.Fatalf("got %v and %v", plan, err)
	}
	for _, p := range problems {
		if p.File != "d" || p.Text == "" {
			t.Fatalf("a problem without a place: %+v", p)
		}
	}
}

func sound(t *testing.T, plan *importer.Plan) {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, c := range plan.Consumers {
		if _, problems := c.Consumer.Read(rules.Written{}); len(problems) > 0 {
			t.Fatalf("consumer %q: %v", c.Consumer.Name, problems)
		}
		once(t, names, c.Consumer.Name)
		for i := range c.Credentials {
			if _, problems := c.Credentials[i].Read(rules.Written{}); len(problems) > 0 {
				t.Fatalf("credential %q: %v", c.Credentials[i].ID, problems)
			}
			once(t, ids, c.Credentials[i].ID)
		}
	}
}

func once(t *testing.T, seen map[string]bool, name string) {
	folded := strings.ToLower(name)
	if seen[folded] {
		t.Fatalf("%q is there twice", name)
	}
	seen[folded] = true
}

func printed(t *testing.T, plan *importer.Plan) []byte {
	var out bytes.Buffer
	if err := plan.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []any{plan, plan.Consumers, plan.Plans} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	return out.Bytes()
}
