package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// FuzzYAML holds that an answer in YAML is the answer in JSON, whatever stands
// in it.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		`{"a":"yes","b":"123","c":"null","d":"~","e":"","f":" x ","g":"a: b # c"}`,
		`{"n":1,"big":9007199254740993,"f":1.5,"e":1e21,"t":true,"z":null}`,
		`{"l":[],"m":{},"deep":[[{"x":["y"]}]]}`,
		`{"lines":"one\ntwo\n","tab":"\t","control":"\u0001\u007f\u0085\u2028","quote":"\"'","script":"Ω 中 😀"}`,
		`"plain"`, `[1,"2010-01-01",":","- x","&a","*a","!t","%","@","0x1f","1_000",".5","<<"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		want, ok := decoded(document)
		if !ok {
			t.Skip("no JSON")
		}
		var out bytes.Buffer
		if err := asYAML.write(&out, json.RawMessage(document)); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v in\n%s", err, &out)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if have, _ := decoded(again); !cmp.Equal(want, have) {
			t.Errorf("%s\nbecame\n%s\n%s", document, &out, cmp.Diff(want, have))
		}
	})
}

// decoded reads JSON, with numbers as floats. It is not ok where an object has a
// name twice, which then has a colon more than what is written again; the API's
// answers never do.
func decoded(document []byte) (value any, ok bool) {
	if err := json.Unmarshal(document, &value); err != nil {
		return nil, false
	}
	plain, err := json.Marshal(value)
	return value, err == nil && strings.Count(string(plain), ":") == strings.Count(string(document), ":")
}

func TestStreamKnowsItsFiles(t *testing.T) {
	s := stream{names: []string{"a.yaml", "b.yaml"}, starts: []int{0, 4}}
	for place, want := range map[string]string{
		"document:1": "a.yaml:1", "document:4": "a.yaml:4", "document:5": "b.yaml:1", "document:90": "b.yaml:86",
		"document": "document", "document:x": "document:x", "document:0": "document:0", "name": "name",
	} {
		if got := s.at(place); got != want {
			t.Errorf("at(%q) = %q, want %q", place, got, want)
		}
	}
}
