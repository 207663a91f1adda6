package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// line is a record of a journal with an input.
func line(selection int, id, input string) string {
	return fmt.Sprintf(`{"selection":%d,"id":%q,"time":"2026-11-24T10:00:00Z","entrypoint":"postern/authz/allow","outcome":"allowed","status":200,"input":%s}`+"\n", selection, id, input)
}

func written(t *testing.T, parts ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "j.jsonl")
	if err := os.WriteFile(file, []byte("{\"postern_journal\":1}\n"+strings.Join(parts, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestNestingIsBounded reads records that nobody's policy saw.
func TestNestingIsBounded(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth) + `}`
	}
	records, problems := read(t, written(t, `{"selection":1,"whole":true}`+"\n",
		line(1, "deep", nested(9000)), line(1, "over", nested(131)), line(1, "most", nested(130)), line(1, "plain", `{"a":"[[["}`)))
	if len(records) != 2 || records["most"] == nil || records["plain"] == nil {
		t.Errorf("%d records", len(records))
	}
	if len(problems) != 2 || problems[0].Line != 3 || problems[1].Line != 4 || !strings.Contains(problems[0].Text, "nested deeper than 132") {
		t.Errorf("problems %v", problems)
	}
}

// TestSelectionsAreBounded holds files to what writers make of them.
func TestSelectionsAreBounded(t *testing.T) {
	var lines []string
	for i := range 1002 {
		lines = append(lines, fmt.Sprintf("{\"selection\":%d,\"whole\":true}\n", i), line(i, fmt.Sprint("r-", i), "{}"))
	}
	lines = append(lines, "{\"selection\":7,\"holds\":[[\"a\"]]}\n", line(7, "again", "{}"), line(5000, "unsaid", "{}"))
	records, problems := read(t, written(t, lines...))
	if len(records) != 1001 || records["r-999"] == nil || records["r-1000"] != nil || !records["again"].Held.IsWhole() {
		t.Errorf("%d records", len(records))
	}
	// Two lines too many with their records, one that says a number again, one
	// record of a number that nobody says.
	if len(problems) != 6 {
		t.Errorf("problems %v", problems)
	}
	_, problems = read(t, written(t, line(1, "early", "{}"), "{\"selection\":1,\"whole\":true}\n", "{\"selection\":1,\"holds\":[[\"a\"]]}\n"))
	if len(problems) != 2 || problems[0].Line+problems[1].Line != 2+4 {
		t.Errorf("what is said below counts above, or twice: %v", problems)
	}
}

// TestTermAndProjection follow nested values through one pass.
func TestTermAndProjection(t *testing.T) {
	const depth = 120
	pad := `"` + strings.Repeat("x", 1<<10) + `"`
	path := make(policy.Path, depth)
	text := strings.Repeat(`{"a":`, depth) + pad + strings.Repeat(`}`, depth)
	for i := range path {
		path[i] = "a"
	}
	selected, err := policy.NewSelection([]policy.Path{path})
	if err != nil {
		t.Fatal(err)
	}
	if got := journal.Project(nil, []byte(text), selected); string(got) != text {
		t.Error("a projection is another")
	}
	if got := journal.Term([]byte(" " + text + " ")).String(); strings.ReplaceAll(got, " ", "") != text {
		t.Error("a term is another")
	}
	for in, want := range map[string]string{
		` { "a" : [ 1 , { "b" : null } , "x" ] , "c" : { } , "d" : [ ] } `: `{"a": [1, {"b": null}, "x"], "c": {}, "d": []}`,
		`[[],[[]],{"a":{"b":[true,false]}}]`:                               `[[], [[]], {"a": {"b": [true, false]}}]`,
		` 1.50 `:                                                           `1.50`,
		`"\"]"`:                                                            `"\"]"`,
	} {
		if got := journal.Term([]byte(in)).String(); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

// TestManyReloadsBeginFiles lets every record come from policy of its own.
func TestManyReloadsBeginFiles(t *testing.T) {
	s := compiled(t, rules)
	j, directory, _, _ := kept(t)
	for i := range 2500 {
		if _, err := j.Policy(allowing{}, s, nil, nil).Decide(t.Context(), question(i)); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	files, _ := journal.Files(directory)
	records, problems := read(t, directory)
	if len(files) < 3 || len(records) != 2500 || len(problems) > 0 {
		t.Errorf("%d files, %d records, %v", len(files), len(records), problems)
	}
}
