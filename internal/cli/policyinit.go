package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/policies"
)

// starter is the folder that a new author starts from, but for the schemas.
//
//go:embed starter
var starter embed.FS

func newPolicyInit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init DIR", Short: "Write a small policy to start from",
		Long: "Write a small policy to start from: rules, data, tests that cover every line,\n" +
			"JSON Schemas for editors, a Makefile and a README. No file is overwritten: if\n" +
			"one is there already, nothing is written.",
		Example: "  postern policy init policies && postern policy test policies",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := starterFiles()
		if err != nil {
			return unasked(err)
		}
		if err := writeStarter(args[0], files); err != nil {
			return err
		}
		for _, file := range files {
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), printable(filepath.Join(args[0], file.name))); err != nil {
				return unasked(err)
			}
		}
		return nil
	}
	return cmd
}

// starterFile is a file by its path in the folder.
type starterFile struct {
	name string
	text []byte
}

func starterFiles() ([]starterFile, error) {
	folder, err := fs.Sub(starter, "starter")
	if err != nil {
		return nil, err
	}
	files, err := filesOf(folder)
	if err != nil {
		return nil, err
	}
	schemas, err := filesOf(policies.Schema)
	return append(files, schemas...), err
}

func filesOf(folder fs.FS) (files []starterFile, err error) {
	err = fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		files = append(files, starterFile{filepath.FromSlash(name), text})
		return err
	})
	return files, err
}

// writeStarter looks at all files before it writes the first, so that a folder
// that is in use stays as it is. A file that comes between is not overwritten
// either.
func writeStarter(directory string, files []starterFile) error {
	for _, file := range files {
		path := filepath.Join(directory, file.name)
		switch _, err := os.Lstat(path); {
		case err == nil:
			return no(fmt.Errorf("%s is there already: nothing is overwritten", path))
		case !errors.Is(err, fs.ErrNotExist):
			return unasked(err)
		}
	}
	for _, file := range files {
		if err := writeNew(filepath.Join(directory, file.name), file.text); err != nil {
			return unasked(err)
		}
	}
	return nil
}

// writeNew writes a file that must not be there. Whoever may read the folder may
// read the policy: it holds no secret.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above; the author names it
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}
