package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/author"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/serve"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// defaultEntrypoint is the rule that decides where nothing names another.
const defaultEntrypoint = "postern/authz/allow"

// authorTimeout bounds an evaluation for an author: a slow machine is no reason
// for a test to fail.
const authorTimeout = 5 * time.Second

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy", Short: "Test, format, look through, measure and explain policies, and roll them out",
		Args: cobra.NoArgs, RunE: needsCommand,
	}
	cmd.AddCommand(newPolicyInit(), newPolicyBuild())
	cmd.AddCommand(newPolicyTest(), newPolicyFmt(), newPolicyLint(), newPolicyBench(), newPolicyExplain(), newPolicyReplay())
	cmd.AddCommand(newPolicyStatus(), newPolicyRevisions(), newPolicyPromote(), newPolicyRollback())
	return cmd
}

// subject is a directory of policies and the gate that they stand in.
type subject struct {
	directory   string
	config      string
	entrypoints []string
	builtins    []string
}

func (s *subject) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&s.config, "config", "c", "", "judge by the routes, consumers and credentials of this configuration `file`")
	f.StringSliceVar(&s.entrypoints, "entrypoint", nil, "`rule` that decides, where no configuration names it (default "+defaultEntrypoint+"); may be repeated")
	f.StringSliceVar(&s.builtins, "allow-builtin", nil, "`builtin` that is allowed though it reaches out or is random; may be repeated")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there: it was made above
	takesDirectory(cmd)
}

func takesDirectory(cmd *cobra.Command) {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

// at takes the directory from the arguments.
func (s *subject) at(args []string) error {
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return unasked(err)
	case !info.IsDir():
		return unasked(fmt.Errorf("%s is not a directory", args[0]))
	}
	s.directory = args[0]
	if len(s.entrypoints) == 0 {
		s.entrypoints = []string{defaultEntrypoint}
	}
	return nil
}

// open reads the directory, with the files of data and the builtins of the
// configuration, if one is given.
func (s *subject) open() (*author.Source, error) {
	builtins, data := s.builtins, []policy.DataFiles(nil)
	if s.config != "" {
		c, err := config.Load(s.config, os.LookupEnv)
		if err != nil {
			return nil, unasked(err)
		}
		builtins, data = append(builtins[:len(builtins):len(builtins)], c.Policy.AllowedBuiltins...), dataOf(c)
	}
	source, err := author.Open(s.directory, builtins, data...)
	if err != nil {
		return nil, ofPolicy(err)
	}
	return source, nil
}

// dataOf are the files of data that a configuration names.
func dataOf(c *config.Config) []policy.DataFiles {
	all := make([]policy.DataFiles, len(c.Policy.Data))
	for i, data := range c.Policy.Data {
		all[i] = policy.DataFiles(data)
	}
	return all
}

// court is the gate with the directory's policy in it, beside what ends it.
func (s *subject) court(ctx context.Context, cases *author.Cases) (*author.Court, func(), error) {
	if s.config != "" {
		return s.configured(ctx)
	}
	config, err := author.PlainConfig(cases.Routes, s.entrypoints[0])
	if err != nil {
		return nil, nil, no(err)
	}
	compiled, err := s.compile(ctx, entrypointsOf(s.entrypoints, cases))
	if err != nil {
		return nil, nil, err
	}
	court, err := author.NewCourt(config, compiled, time.Now)
	return court, func() {}, err
}

func entrypointsOf(named []string, cases *author.Cases) []string {
	all := append([]string{}, named...)
	for i := range cases.Routes {
		all = append(all, cases.Routes[i].Entrypoint)
	}
	for i := range cases.Cases {
		all = append(all, cases.Cases[i].Request.Entrypoint)
	}
	return distinctNames(all)
}

func distinctNames(all []string) (kept []string) {
	seen := map[string]bool{"": true}
	for _, name := range all {
		if !seen[name] {
			seen[name] = true
			kept = append(kept, name)
		}
	}
	return kept
}

func (s *subject) compile(ctx context.Context, entrypoints []string) (*policy.Snapshot, error) {
	compiled, err := policy.Compile(ctx, policy.Options{
		Directory: s.directory, Entrypoints: entrypoints, AllowedBuiltins: s.builtins, Timeout: authorTimeout, Now: time.Now,
	})
	if err != nil {
		return nil, ofPolicy(err)
	}
	return compiled, nil
}

// configured is the gate of a configuration.
func (s *subject) configured(ctx context.Context) (*author.Court, func(), error) {
	rules, err := s.rules(ctx)
	if err != nil {
		return nil, nil, err
	}
	court, err := author.NewCourt(rules.Gate, rules.Policy, time.Now)
	if err != nil {
		rules.Close() //nolint:contextcheck // it ends by itself, not with a context
		return nil, nil, no(err)
	}
	return court, rules.Close, nil
}

func (s *subject) rules(ctx context.Context) (*serve.OpenRules, error) {
	directory := s.directory
	if directory != "" {
		absolute, err := filepath.Abs(directory)
		if err != nil {
			return nil, unasked(err)
		}
		directory = absolute
	}
	rules, err := serve.NewOpenRules(ctx, serve.RulesOptions{ConfigPath: s.config, Env: os.LookupEnv, Directory: directory, Timeout: authorTimeout})
	if err != nil {
		return nil, ofPolicy(err)
	}
	rules.AwaitKeys(ctx)
	return rules, nil
}

// ofPolicy makes what is wrong with policies or cases an answer, one a line as
// compilers print them, and anything else a question that could not be asked.
func ofPolicy(err error) error {
	var wrong *policy.Error
	var located strictyaml.Errors
	var end exit
	switch {
	case err == nil || errors.As(err, &end):
		return err
	case errors.As(err, &wrong), errors.As(err, &located):
		return problemsFound{err}
	}
	return unasked(err)
}

// problemsFound are problems with file and line, for standard error.
type problemsFound struct{ error }

// tellFound tells of problems by themselves, so that editors find the lines.
func tellFound(w io.Writer, err error) error {
	var found problemsFound
	if !errors.As(err, &found) {
		return err
	}
	_, _ = fmt.Fprintln(w, found.Error()) // there is nowhere else to tell
	return no(nil)
}

// asking makes a command of what may find problems.
func asking(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return tellFound(cmd.ErrOrStderr(), run(cmd, args))
	}
}

// lines writes each line, whatever is in it, without moving the terminal.
func lines(w io.Writer, indent string, all []string) error {
	for _, line := range all {
		if _, err := fmt.Fprintln(w, indent+printable(strings.ReplaceAll(line, "\t", "  "))); err != nil {
			return err
		}
	}
	return nil
}
