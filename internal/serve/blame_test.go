package serve_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/serve"
)

// TestBlamesTheConfiguration: what the configuration asks for in vain is told with
// its line.
func TestBlamesTheConfiguration(t *testing.T) {
	for name, c := range map[string]struct{ policy, says, warns string }{
		"data":        {"  data: [{file: there.json}, {file: nosuch.json, at: a}]\n", `postern.yaml:LINE: policy.data[1].file: DIR/nosuch.json: no such file`, ""},
		"descriptors": {"  descriptors: nosuch.pb\n", `postern.yaml:LINE: policy.descriptors: DIR/nosuch.pb: the descriptor set can't be read`, ""},
		"two places":  {"  data: [{file: there.json}, {file: again.json}]\n", `data.owners.invoices is defined here and in DIR/there.json:1`, ""},
		"shadow":      {"  shadow: {directory: nowhere}\n", "", "policy.shadow.directory: there is no folder DIR/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../../deploy/example")); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, "postern.yaml", "  directory: policies", c.policy+"  directory: policies")
			write(t, dir, "there.json", `{"owners": {"invoices": ["a", "b"]}}`)
			write(t, dir, "again.json", `{"owners": {"invoices": ["c"]}}`)
			text, err := os.ReadFile(filepath.Join(dir, "postern.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			before, _, _ := bytes.Cut(text, []byte(c.policy))
			line := 1 + bytes.Count(before, []byte("\n"))
			fill := strings.NewReplacer("LINE", strconv.Itoa(line), "DIR", dir)
			var warned bytes.Buffer
			err = serve.Validate(t.Context(), serve.Options{
				ConfigPath: filepath.Join(dir, "postern.yaml"), Env: func(string) (string, bool) { return "", false }, Stderr: &warned,
			})
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), fill.Replace(c.says)) {
				t.Errorf("%v", err)
			}
			if (warned.Len() == 0) != (c.warns == "") || !strings.Contains(warned.String(), fill.Replace(c.warns)) {
				t.Errorf("warned: %s", warned.String())
			}
		})
	}
}
