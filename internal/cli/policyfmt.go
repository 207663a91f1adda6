package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/policy"
)

func newPolicyFmt() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fmt DIR", Short: "Format the modules of a policy",
		Long: "Name the modules that `opa fmt` would change, or with --write change them.\n\n" +
			"Exit code 0: done; 1: a module can't be read, or with --check is not formatted;\n" +
			"2: the directory can't be read.",
	}
	var s subject
	takesDirectory(cmd)
	f := cmd.Flags()
	write := f.BoolP("write", "w", false, "write each module as it should be")
	check := f.Bool("check", false, "exit with 1 when a module is not as it should be")
	diff := f.BoolP("diff", "d", false, "show the changes")
	cmd.MarkFlagsMutuallyExclusive("write", "check")
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, args []string) error {
		if err := s.at(args); err != nil {
			return err
		}
		all, wrong := author.Format(s.directory)
		var found *policy.Error
		if wrong != nil && !errors.As(wrong, &found) {
			return unasked(wrong)
		}
		changed, err := tellFormat(cmd.OutOrStdout(), *form, all, *write, *diff)
		switch {
		case err != nil:
			return unasked(err)
		case wrong != nil:
			return ofPolicy(wrong)
		case *check && changed > 0:
			return no(nil)
		}
		return nil
	})
	return cmd
}

// formatted is a module that is not as it should be.
type formatted struct {
	File    string `json:"file"`
	Written bool   `json:"written"`
	Diff    string `json:"diff,omitempty"`
}

// tellFormat tells of the modules that change, and writes them where asked to.
func tellFormat(w io.Writer, form output, all []author.Formatted, write, diff bool) (int, error) {
	changed := []formatted{}
	for i := range all {
		if !all[i].Changed() {
			continue
		}
		one := formatted{File: all[i].File, Written: write}
		if diff {
			one.Diff = all[i].Diff()
		}
		if write {
			if err := all[i].Write(); err != nil {
				return 0, err
			}
		}
		changed = append(changed, one)
	}
	if form != text {
		return len(changed), form.write(w, map[string]any{"changed": changed})
	}
	for _, one := range changed {
		line := one.File + "\n"
		if diff {
			line = one.Diff
		}
		if _, err := fmt.Fprint(w, line); err != nil {
			return 0, err
		}
	}
	return len(changed), nil
}
