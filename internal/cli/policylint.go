package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
)

func newPolicyLint() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lint DIR", Short: "Look a policy through, as compilers do",
		Long: "Look a policy through and tell of each thing as file:line:column.\n\n" +
			"Errors are what the gate would refuse: what does not compile strictly, builtins\n" +
			"that are not allowed, entry points that are missing. Warnings, with what to write\n" +
			"instead:\n" +
			"  not-remembered  makes each decision anew\n" +
			"  unreachable     a rule that no entry point evaluates\n" +
			"  deny-fails      a builtin's error would end a rule that denies\n" +
			"  unknown-input   a part of the input that is never there\n" +
			"  raw-path        a path as the client spelt it\n" +
			"  always-allows   an entry point that allows without looking at the request\n" +
			"  never-holds     a rule that constants keep from holding\n" +
			"  client-header   a header that the client can write itself\n" +
			"Entry points are those of the configuration or of --entrypoint; else the rules\n" +
			"that the policy marks by `# METADATA` with `# entrypoint: true`, and\n" +
			defaultEntrypoint + ".\n\n" +
			"A comment `# lint:ignore CODE` on the line or the one above silences a warning.\n\n" +
			"Exit code 0: no errors, and with --strict no warnings; 1: there are; 2: it could\n" +
			"not be looked through.",
	}
	var s subject
	s.flags(cmd)
	strict := cmd.Flags().Bool("strict", false, "warnings are a no, too")
	form := outputFlag(cmd)
	cmd.RunE = asking(func(cmd *cobra.Command, args []string) error {
		named := len(s.entrypoints) > 0
		if err := s.at(args); err != nil {
			return err
		}
		findings, err := s.lint(cmd, named)
		if err != nil {
			return err
		}
		errs, err := tellFindings(cmd.OutOrStdout(), *form, findings)
		switch {
		case err != nil:
			return unasked(err)
		case errs > 0 || *strict && len(findings) > 0:
			return no(nil)
		}
		return nil
	})
	return cmd
}

// lint takes entry points, allowed builtins and files of data from the
// configuration, if one is given.
func (s *subject) lint(cmd *cobra.Command, named bool) ([]author.Finding, error) {
	o := policy.Options{Entrypoints: s.entrypoints, AllowedBuiltins: s.builtins, Now: time.Now}
	if s.config != "" {
		c, err := config.Load(s.config, os.LookupEnv)
		if err != nil {
			return nil, unasked(err)
		}
		o.Entrypoints, o.AllowedBuiltins = c.Policy.Entrypoints, append(o.AllowedBuiltins, c.Policy.AllowedBuiltins...)
		o.Data = dataOf(c)
	}
	source, err := author.Open(s.directory, o.AllowedBuiltins, o.Data...)
	if err != nil {
		return author.Unreadable(err)
	}
	s.ask(source, named)
	if s.config == "" {
		o.Entrypoints = s.entrypoints
	}
	findings, err := source.Lint(cmd.Context(), o)
	return findings, ofPolicy(err)
}

// ask takes the entry points that the policy says it has, where neither a flag
// nor a configuration names any.
func (s *subject) ask(source *author.Source, named bool) {
	if !named && s.config == "" {
		s.entrypoints = source.Entrypoints(defaultEntrypoint)
	}
}

// tellFindings tells of each, and counts the errors.
func tellFindings(w io.Writer, form output, findings []author.Finding) (errs int, err error) {
	for i := range findings {
		if findings[i].Error {
			errs++
		}
	}
	if form != text {
		if findings == nil {
			findings = []author.Finding{}
		}
		return errs, form.write(w, map[string]any{"errors": errs, "warnings": len(findings) - errs, "findings": findings})
	}
	for i := range findings {
		if err := sentence(findings[i].String()).writeTo(w); err != nil {
			return errs, err
		}
	}
	_, err = fmt.Fprintf(w, "%s, %s\n", counted(errs, "error"), counted(len(findings)-errs, "warning"))
	return errs, err
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
