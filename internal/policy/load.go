package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
)

// The bounds of a policy: far above what anyone writes, far below what hurts.
const (
	maxFiles     = 10_000
	maxFileBytes = 32 << 20
)

// source is where a policy's files are.
type source struct {
	files     fs.FS
	directory string // as named in problems; empty for the embedded files
	kept      []string
	problems  []Problem
}

func open(o Options) *source {
	if o.Directory == "" {
		return &source{files: o.Embedded}
	}
	return &source{files: os.DirFS(o.Directory), directory: o.Directory}
}

// load reads modules and data. Data from sub/data.yaml stands under data.sub,
// as with `opa run DIRECTORY`.
func (s *source) load(capabilities *ast.Capabilities) (*loader.Result, error) {
	loaded, err := loader.NewFileLoader().WithFS(s.files).WithCapabilities(capabilities).Filtered([]string{"."}, s.leaveOut)
	if len(s.problems) > 0 {
		return nil, &Error{Problems: s.problems}
	}
	if err != nil {
		return nil, explained(s.directory, err)
	}
	return loaded, nil
}

// leaveOut says which files are no part of the policy: its tests, hidden files
// (editors' and the `..data` of a Kubernetes volume), and other kinds.
func (s *source) leaveOut(path string, info fs.FileInfo, _ int) bool {
	name := info.Name()
	switch {
	case path != "." && strings.HasPrefix(name, "."):
		return true
	case !info.IsDir() && !isPolicy(name):
		return true
	case !info.IsDir() && !info.Mode().IsRegular():
		s.refuse(path, "this is no regular file")
		return true
	case info.Size() > maxFileBytes:
		s.refuse(path, "the file is larger than 32 MiB")
		return true
	case len(s.kept) >= maxFiles:
		s.refuse(path, "the policy has more than 10000 files and directories")
		return true
	}
	s.kept = append(s.kept, path)
	return false
}

func isPolicy(name string) bool {
	extension := filepath.Ext(name)
	return slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, extension) &&
		(extension == ".json" || !strings.HasSuffix(strings.TrimSuffix(name, extension), "_test"))
}

func (s *source) refuse(path, text string) {
	if len(s.problems) < 10 {
		s.problems = append(s.problems, Problem{File: filepath.Join(s.directory, path), Text: text})
	}
}

// revisionOf is a digest of what was loaded: every module's bytes by name, and
// the data in canonical JSON.
func revisionOf(loaded *loader.Result) (string, error) {
	data, err := json.Marshal(loaded.Documents)
	if err != nil {
		return "", err
	}
	names := make([]string, 0, len(loaded.Modules))
	for name := range loaded.Modules {
		names = append(names, name)
	}
	slices.Sort(names)
	digest := sha256.New()
	delimited(digest, data)
	for _, name := range names {
		delimited(digest, []byte(name))
		delimited(digest, loaded.Modules[name].Raw)
	}
	return hex.EncodeToString(digest.Sum(nil)[:16]), nil
}

// delimited writes a part so that no two lists of parts are written alike. A
// hash never fails to be written to.
func delimited(digest io.Writer, part []byte) {
	_, _ = digest.Write(binary.AppendUvarint(nil, uint64(len(part))))
	_, _ = digest.Write(part)
}
