package author

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/postern-authz/postern/internal/policy"
)

// maxFiles bounds a directory of policies and their tests.
const maxFiles = 20_000

// Source is a directory of policies with their tests.
type Source struct {
	Directory    string
	capabilities *ast.Capabilities
	loaded       *loader.Result
	data         ast.Object
	cases        []string
}

// Open reads a directory: modules, data, tests in Rego (_test.rego) and the
// names of files of cases (_test.yaml), beside further files of data. Its error
// is a *policy.Error.
func Open(directory string, allowedBuiltins []string, data ...policy.DataFiles) (*Source, error) {
	capabilities, err := policy.Capabilities(allowedBuiltins)
	if err != nil {
		return nil, err
	}
	s := &Source{Directory: filepath.Clean(directory), capabilities: capabilities}
	s.loaded, err = loader.NewFileLoader().WithCapabilities(capabilities).WithProcessAnnotation(true).
		Filtered([]string{s.Directory}, s.leaveOut)
	if err != nil {
		return nil, policy.Explained("", err)
	}
	if len(s.loaded.Modules) == 0 {
		return nil, &policy.Error{Problems: []policy.Problem{{File: s.Directory, Text: "there is no policy (.rego) in it"}}}
	}
	if s.data, err = policy.ReadData(s.Directory, data); err != nil {
		return nil, err
	}
	slices.Sort(s.cases)
	return s, nil
}

// leaveOut says which files are no modules, and notes those that hold cases.
func (s *Source) leaveOut(path string, info fs.FileInfo, _ int) bool {
	name := info.Name()
	switch {
	case path != s.Directory && strings.HasPrefix(name, "."):
		return true
	case info.IsDir():
		return false
	case isCases(name):
		if len(s.cases) < maxFiles {
			s.cases = append(s.cases, path)
		}
		return true
	}
	return filepath.Ext(name) != ".rego"
}

func isCases(name string) bool {
	return strings.HasSuffix(name, "_test.yaml") || strings.HasSuffix(name, "_test.yml")
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// modules are freshly parsed, since a compiler changes what it is given.
func (s *Source) modules() map[string]*ast.Module {
	fresh := make(map[string]*ast.Module, len(s.loaded.Modules))
	for _, m := range s.loaded.Modules {
		fresh[m.Name] = m.Parsed.Copy()
	}
	return fresh
}

func (s *Source) store() storage.Store {
	return inmem.NewFromASTObject(s.data)
}
