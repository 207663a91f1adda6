package strictyaml_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/strictyaml"
)

type shop struct {
	Name    string                 `yaml:"name,required"`
	Open    bool                   `yaml:"open"`
	Floors  int                    `yaml:"floors"`
	Share   float64                `yaml:"share"`
	Owner   *string                `yaml:"owner"`
	Wait    strictyaml.Duration    `yaml:"wait"`
	Store   strictyaml.Size        `yaml:"store"`
	Nets    []strictyaml.Network   `yaml:"nets"`
	Since   time.Time              `yaml:"since"`
	Labels  map[string]string      `yaml:"labels"`
	Any     map[string]any         `yaml:"any"`
	Rooms   []room                 `yaml:"rooms"`
	Keys    keys                   `yaml:"keys"`
	Cellar  strictyaml.Unsupported `yaml:"cellar"`
	private string
}

type room struct {
	Title string `yaml:"title,required"`
	Doors int    `yaml:"doors"`
}

// keys is a list, or a mapping with the list beneath `all`.
type keys struct {
	List []string
	Box  struct {
		All []string `yaml:"all"`
	}
}

func (k *keys) Shape(kind strictyaml.Kind) any {
	switch kind {
	case strictyaml.List:
		return &k.List
	case strictyaml.Mapping:
		return &k.Box
	}
	return nil
}

func (*keys) Expected() string { return "a list or {all: […]}" }

func TestDecodeReadsWhatIsMeant(t *testing.T) {
	got := shop{Floors: 7, private: "kept"}
	_, problems := strictyaml.Decode("shop.yaml", []byte(`
name: Ä shop
open: true
share: 0.25
owner: null
wait: 1h30m
store: 64MiB
nets: [203.0.113.7, 10.0.0.0/8, "2001:db8::/32", "::ffff:192.0.2.1"]
since: 2030-01-01T00:00:00+09:00
labels: {custom_id: "42", "a.b c": d}
any: {n: 1, f: 1.5, s: x, b: false, l: [1, null], m: {k: v}}
rooms: [{title: hall, doors: 2}]
keys: {all: [a]}
`), &got)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := shop{
		Name: "Ä shop", Open: true, Floors: 7, Share: 0.25, private: "kept",
		Wait: strictyaml.Duration(90 * time.Minute), Store: 64 << 20,
		Since:  time.Date(2029, 12, 31, 15, 0, 0, 0, time.UTC),
		Labels: map[string]string{"custom_id": "42", "a.b c": "d"},
		Any: map[string]any{"n": int64(1), "f": 1.5, "s": "x", "b": false,
			"l": []any{int64(1), nil}, "m": map[string]any{"k": "v"}},
		Rooms: []room{{"hall", 2}},
	}
	for _, s := range []string{"203.0.113.7/32", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"} {
		want.Nets = append(want.Nets, strictyaml.Network(netip.MustParsePrefix(s)))
	}
	want.Keys.Box.All = []string{"a"}
	opts := cmp.Options{
		cmp.AllowUnexported(shop{}),
		cmp.Comparer(func(a, b strictyaml.Network) bool { return a == b }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := "any: {a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}"
	tests := []struct{ name, yaml, want string }{
		{"empty", "", `f: is empty; expected a mapping`},
		{"comments alone", "# nothing\n", `f: is empty; expected a mapping`},
		{"null", "---\n", `f:2: has no value; give it one or leave the key out`},
		{"a list", "[1]", `f:1: expected a mapping of keys to values, found a list`},
		{"bad syntax", "name: x\nopen: [", `f:2: not valid YAML: did not find expected node content`},
		{"two documents", "name: x\n---\nname: y\n", `f:2: a second document begins here; expected one only`},
		{"empty second document", "name: x\n---\n", `f:2: a second document begins here; expected one only`},
		{"unknown key near a known one", "name: x\nflors: 1\n", `f:2: unknown key "flors"; did you mean "floors"?`},
		{"unknown key", "name: x\nzzz: 1\n", `f:2: unknown key "zzz"; known here: any, floors, keys, labels, name, nets, open, owner, rooms, share, since, store, wait`},
		{"a field without a tag is no key", "name: x\nprivate: y\n", `f:2: unknown key "private"; known here: any, floors, keys, labels, name, nets, open, owner, rooms, share, since, store, wait`},
		{"key that may be a secret", "name: x\nrooms: [{sk-0123456789abcdefghij, title: a}]", `f:2: rooms[0]: unknown key (of 23 bytes); known here: doors, title`},
		{"duplicate key", "name: x\nopen: true\nname: y\n", `f:3: the key "name" stands here twice, first on line 1`},
		{"duplicate label", "name: x\nlabels: {a: b, a: c}\n", `f:2: labels: the key "a" stands here twice, first on line 2`},
		{"merge key", "name: x\nlabels: {<<: {a: b}}\n", `f:2: labels: expected a string as key; put it in quotes`},
		{"number as key", "name: x\nlabels: {1: b}\n", `f:2: labels: expected a string as key; put it in quotes`},
		{"required", "open: true\nrooms:\n  - doors: 1\n", "f:1: lacks the key \"name\"\nf:3: rooms[0]: lacks the key \"title\""},
		{"later work", "name: x\ncellar: {deep: true}\n", `f:2: cellar: is not supported by this version`},
		{"later work, empty", "name: x\ncellar:\n", `f:2: cellar: is not supported by this version`},
		{"no value", "name: x\nnets:\n", `f:2: nets: has no value; give it one or leave the key out`},
		{"number for string", "name: 12\n", `f:1: name: expected a string, found a number; put it in quotes`},
		{"date for string", "name: 2024-01-01\n", `f:1: name: expected a string, found a date; put it in quotes`},
		{"list for string", "name: [a]\n", `f:1: name: expected a string, found a list`},
		{"string for bool", "name: x\nopen: yes\n", `f:2: open: expected true or false, found a string`},
		{"quoted bool", "name: x\nopen: \"true\"\n", `f:2: open: expected true or false, found a string`},
		{"fraction for int", "name: x\nfloors: 1.5\n", `f:2: floors: expected a whole number, found a number`},
		{"hex", "name: x\nfloors: 0x10\n", `f:2: floors: expected a whole number, found a number`},
		{"octal", "name: x\nfloors: 010\n", `f:2: floors: expected a whole number, found a number`},
		{"int too large", "name: x\nfloors: 99999999999999999999\n", `f:2: floors: expected a whole number, found a number`},
		{"infinity", "name: x\nshare: .inf\n", `f:2: share: expected a number, found a number`},
		{"duration without unit", "name: x\nwait: 30\n", `f:2: wait: expected a duration with its unit, such as 500ms, 30s or 24h`},
		{"negative duration", "name: x\nwait: -3s\n", `f:2: wait: expected a duration with its unit, such as 500ms, 30s or 24h`},
		{"decimal size", "name: x\nstore: 64MB\n", `f:2: store: expected a size such as 64MiB (KiB, MiB, GiB, or plain bytes)`},
		{"size too large", "name: x\nstore: 9000000000000GiB\n", `f:2: store: is a size beyond what can be counted`},
		{"host bits", "name: x\nnets:\n  - 10.0.0.1/8\n", `f:3: nets[0]: has bits set beyond its length; expected 10.0.0.0/8`},
		{"zone", "name: x\nnets: ['fe80::1%eth0']\n", `f:2: nets[0]: expected an address or a network, such as 203.0.113.7 or 203.0.113.0/24`},
		{"mapped network", "name: x\nnets: ['::ffff:10.0.0.0/104']\n", `f:2: nets[0]: expected an address or a network, such as 203.0.113.7 or 203.0.113.0/24`},
		{"time without zone", "name: x\nsince: 2030-01-01T00:00:00\n", `f:2: since: expected a time of RFC 3339, such as 2030-01-01T00:00:00Z`},
		{"the first moment of all", "name: x\nsince: 0001-01-01T00:00:00Z\n", `f:2: since: expected a time of RFC 3339, such as 2030-01-01T00:00:00Z`},
		{"date alone", "name: x\nsince: 2030-01-01\n", `f:2: since: expected a time of RFC 3339, such as 2030-01-01T00:00:00Z`},
		{"time with comma", "name: x\nsince: '2030-01-01T00:00:00,5Z'\n", `f:2: since: expected a time of RFC 3339, such as 2030-01-01T00:00:00Z`},
		{"shape", "name: x\nkeys: all\n", `f:2: keys: expected a list or {all: […]}`},
		{"within a shape", "name: x\nkeys: {none: []}\n", `f:2: keys: unknown key "none"; known here: all`},
		{"anchor", "name: &a x\n", `f:1: name: anchors are not accepted; a value that begins with & needs quotes`},
		{"alias", "name: &a x\nlabels: {b: *a}\n", "f:1: name: anchors are not accepted; a value that begins with & needs quotes\nf:2: labels.b: aliases are not accepted; write the value out"},
		{"unknown alias", "name: *s3cret\n", `f: not valid YAML: an alias of an unknown anchor; a value that begins with * needs quotes`},
		{"tag", "name: !!binary aGFsbG8=\n", `f:1: name: tags are not accepted; a value that begins with ! needs quotes`},
		{"hex among free values", "name: x\nany: {a: 0x1F}\n", `f:2: any.a: expected a string, number, true or false, list or mapping, found a number; a string needs quotes here`},
		{"too deep", "name: x\n" + deep, `f:2: any.a` + strings.Repeat("[0]", 31) + `: is nested more than 32 deep`},
		{"too large", "name: " + strings.Repeat("x", strictyaml.MaxSize), `f: is larger than 16777216 bytes`},
		{"everything at once", "name: 1\nopen: maybe\nfloors: x\n", "f:1: name: expected a string, found a number; put it in quotes\nf:2: open: expected true or false, found a string\nf:3: floors: expected a whole number, found a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := strictyaml.Decode("f", []byte(tt.yaml), &shop{})
			if err := problems.Err(); err == nil || err.Error() != tt.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, tt.want)
			}
		})
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	_, problems := strictyaml.Decode("f", []byte("name: x\nrooms: ["+strings.Repeat("1,", 5000)+"]"), &shop{})
	if len(problems) != 201 || !strings.Contains(problems[200].Text, "the rest is not told") {
		t.Errorf("%d problems, the last: %v", len(problems), problems[len(problems)-1])
	}
}

func TestDocumentKnowsWhereThingsStand(t *testing.T) {
	doc, problems := strictyaml.Decode("f", []byte("name: x\nrooms:\n  - title: a\n  - title: b\n    doors: 1\n"), &shop{})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	for field, want := range map[string]string{
		"rooms":          "f:2: rooms: no",
		"rooms[1].doors": "f:5: rooms[1].doors: no",
		"rooms[1].walls": "f:4: rooms[1].walls: no",
		"labels.a":       "f:1: labels.a: no",
		"":               "f:1: no",
	} {
		if got := doc.Problem(field, "n%s", "o").String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !doc.Has("rooms[0].title") || doc.Has("rooms[0].doors") {
		t.Error("Has must tell written fields from others")
	}
}

func TestNoProblemIsNoError(t *testing.T) {
	if err := strictyaml.Errors(nil).Err(); err != nil {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"name: x\nopen: true\n", "name: &a [*a]\n", "a: &a [x]\nb: [*a,*a]\n", "--- x\n...\n---\n", "{name: [}",
		"name: |\n  text\n", "? [a]\n: b\n", "<<: {a: b}\n", "name: !!str 1\n", "\xff\xfen\x00:\x00", "wait: 1h\nstore: 1KiB\nnets: [::1]\n",
		"rooms: [{title: a, doors: 1}, {}]\nkeys: [a]\nany: {a: [1, 1.5, null]}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got shop
		doc, problems := strictyaml.Decode("f", data, &got)
		for _, p := range problems {
			if p.Text == "" || p.Line < 0 || p.Line > len(data)+2 {
				t.Fatalf("problem without a text or place: %#v", p)
			}
		}
		if len(problems) == 0 && !doc.Has("name") {
			t.Fatal("accepted without a required key")
		}
		if len(problems) == 0 {
			agrees(t, data, got)
		}
	})
}

// agrees compares what we accepted with the plain decoder.
func agrees(t *testing.T, data []byte, got shop) {
	var plain struct {
		Name   string
		Open   bool
		Floors int
		Labels map[string]string
		Rooms  []struct {
			Title string
			Doors int
		}
	}
	if err := yaml.Unmarshal(data, &plain); err != nil {
		t.Fatalf("accepted what is no YAML: %v", err)
	}
	rooms := fmt.Sprint(plain.Rooms)
	if plain.Name != got.Name || plain.Open != got.Open || plain.Floors != got.Floors ||
		!reflect.DeepEqual(plain.Labels, got.Labels) || rooms != fmt.Sprint(got.Rooms) {
		t.Fatalf("read as %+v, elsewhere as %+v", got, plain)
	}
}
