package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/postern-authz/postern/"

// floors is the house. A new package gets its line here, and in doc.go.
var floors = map[string]int{
	"internal/access":                         0,
	"internal/gate":                           1,
	"internal/cache":                          1,
	"internal/canon":                          1,
	"internal/redact":                         1,
	"internal/strictyaml":                     1,
	"internal/wholefile":                      1,
	"internal/stamp":                          1,
	"internal/claims":                         1,
	"internal/consumer":                       1,
	"internal/consumer/certname":              1,
	"internal/consumer/password":              1,
	"internal/consumer/rules":                 2,
	"internal/assertion":                      3,
	"internal/consumer/consumertest":          3,
	"internal/consumer/file":                  3,
	"internal/consumer/replica":               3,
	"internal/consumer/sqlstore":              3,
	"internal/credential/place":               2,
	"internal/credential/proof":               2,
	"internal/credential/apikey":              3,
	"internal/credential/signature":           3,
	"internal/credential/signature/noncetest": 3,
	"internal/credential/bearer":              3,
	"internal/credential/basic":               3,
	"internal/credential/clientcert":          3,
	"internal/credential/introspect":          3,
	"internal/keyring":                        3,
	"internal/policy":                         3,
	"internal/telemetry":                      3,
	"internal/bundles":                        4,
	"internal/admin":                          4,
	"internal/extauthz":                       4,
	"internal/forwardauth":                    4,
	"internal/importer":                       4,
	"internal/journal":                        4,
	"internal/rollout":                        4,
	"internal/author":                         5,
	"internal/config":                         5,
	"internal/serve":                          6,
	"internal/cli":                            7,
}

// TestFloors fails when a package imports from its own floor or from a higher
// one. Such an import ties two rooms together: neither can then be read,
// tested or replaced alone, and a request's way no longer goes one way.
func TestFloors(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		pkg := path.Join("internal", filepath.ToSlash(filepath.Dir(name)))
		if pkg == "internal" {
			return nil
		}
		seen[pkg] = true
		checkImports(t, name, pkg)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range floors {
		if !seen[pkg] {
			t.Errorf("%s has a floor but does not exist", pkg)
		}
	}
}

func checkImports(t *testing.T, name, pkg string) {
	t.Helper()
	floor, ok := floors[pkg]
	if !ok {
		t.Errorf("%s: package %s has no floor: decide what may import it, and say so in floors and doc.go", name, pkg)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if floor == 0 && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
			t.Errorf("%s imports %s: the words depend on the standard library alone", name, imported)
		}
		lower, ours := strings.CutPrefix(imported, module)
		if !ours {
			continue
		}
		if other, known := floors[lower]; known && other >= floor || !known && strings.HasPrefix(lower, "internal/") {
			t.Errorf("%s (floor %d) imports %s (floor %d): a package imports only from lower floors", name, floor, lower, other)
		}
	}
}
