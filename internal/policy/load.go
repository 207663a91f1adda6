package policy

import (
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of a policy: far above what anyone writes, far below what hurts.
const (
	maxFiles       = 10_000
	maxModuleBytes = 32 << 20
	maxFolders     = 64 // one in another
)

// source is where a policy's files are.
type source struct {
	files     fs.FS
	directory string // as named in problems; empty for the embedded files
	seen      int
}

// open opens the directory, or the embedded files where there is none; with
// bundles those decide alone.
func open(o Options) *source {
	switch {
	case o.Directory != "":
		return &source{files: os.DirFS(o.Directory), directory: o.Directory}
	case len(o.Bundles) == 0 && o.Embedded != nil:
		return &source{files: o.Embedded}
	}
	return nil
}

// readTree reads modules and data. Data from sub/data.yaml stands under
// data.sub, as with `opa run DIRECTORY`.
func (c *content) readTree(s *source) {
	if info, err := fs.Stat(s.files, "."); err != nil || !info.IsDir() {
		c.refuse(s.problem(".", err, "this is no directory"))
		return
	}
	c.readFolder(s, ".", nil)
}

func (s *source) problem(name string, err error, text string) Problem {
	if err != nil {
		text = cannotRead(err).Error()
	}
	return Problem{File: filepath.Join(s.directory, name), Text: text}
}

func (c *content) readFolder(s *source, folder string, at []string) {
	if len(at) > maxFolders {
		c.refuse(s.problem(folder, nil, "more than 64 folders in one another"))
		return
	}
	entries, err := fs.ReadDir(s.files, folder)
	if err != nil {
		c.refuse(s.problem(folder, err, ""))
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() && !isPolicy(entry.Name()) {
			continue
		}
		c.readEntry(s, path.Join(folder, entry.Name()), at)
	}
}

// readEntry reads a file or folder. Left out are tests, hidden files (editors'
// and the `..data` of a Kubernetes volume), and other kinds.
func (c *content) readEntry(s *source, name string, at []string) {
	base := path.Base(name)
	if strings.HasPrefix(base, ".") {
		return
	}
	info, err := fs.Stat(s.files, name)
	switch {
	case err != nil:
		c.refuse(s.problem(name, err, ""))
		return
	case !info.IsDir() && !isPolicy(base):
		return
	case !info.IsDir() && !info.Mode().IsRegular():
		c.refuse(s.problem(name, nil, "this is no regular file"))
		return
	case s.seen == maxFiles:
		c.refuse(s.problem(name, nil, "the policy has more than 10000 files and directories"))
	}
	if s.seen++; s.seen > maxFiles {
		return
	}
	switch {
	case info.IsDir():
		c.readFolder(s, name, append(at[:len(at):len(at)], base))
	case path.Ext(base) == ".rego":
		c.readModule(s, name, info)
	default:
		c.readDataset(func() (fs.File, error) { return s.files.Open(name) }, &dataset{name: filepath.Join(s.directory, name), at: at})
	}
}

func isPolicy(name string) bool {
	extension := filepath.Ext(name)
	return slices.Contains([]string{".rego", ".json", ".yaml", ".yml"}, extension) &&
		(extension == ".json" || !strings.HasSuffix(strings.TrimSuffix(name, extension), "_test"))
}

func (c *content) readModule(s *source, name string, info fs.FileInfo) {
	if info.Size() > maxModuleBytes {
		c.refuse(s.problem(name, nil, "the file is larger than 32 MiB"))
		return
	}
	file, err := s.files.Open(name)
	if err != nil {
		c.refuse(s.problem(name, err, ""))
		return
	}
	defer func() { _ = file.Close() }() // only read
	text, err := readAtMost(file, info.Size(), maxModuleBytes)
	if err != nil {
		c.refuse(s.problem(name, err, ""))
		return
	}
	c.modules = append(c.modules, moduleText{name: name, file: filepath.Join(s.directory, name), text: text})
}

// delimited writes a part so that no two lists of parts are written alike. A
// hash never fails to be written to.
func delimited(digest io.Writer, part []byte) {
	_, _ = digest.Write(binary.AppendUvarint(nil, uint64(len(part))))
	_, _ = digest.Write(part)
}
