package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/serve"
	"github.com/postern-authz/postern/internal/strictyaml"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check a configuration, or print its schema",
		Args: cobra.NoArgs, RunE: needsCommand,
	}
	cmd.AddCommand(newValidate(), newSchema())
	return cmd
}

func newValidate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate --config FILE",
		Short: "Print every problem of a configuration and of the files that it names",
		Long: "Print every problem of a configuration and of the consumers, keys and policies\n" +
			"that it names, with file and line. Exit code 0: there is none; 1: there is.",
		Args: cobra.NoArgs,
	}
	o := serve.Options{Env: os.LookupEnv, Version: readBuild().Version}
	configFlag(cmd, &o.ConfigPath)
	_ = cmd.MarkFlagRequired("config") // the flag is there: it was made above
	form := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return tellProblems(cmd, *form, o.ConfigPath, serve.Validate(cmd.Context(), o))
	}
	return cmd
}

// problem is one thing that is wrong, for machines. Only Text is always there.
type problem struct {
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Field string `json:"field,omitempty"`
	Text  string `json:"text"`
}

func tellProblems(cmd *cobra.Command, form output, path string, err error) error {
	problems := problemsOf(err)
	switch {
	case form != text:
		report := map[string]any{"valid": err == nil, "problems": problems}
		if err := form.write(cmd.OutOrStdout(), report); err != nil {
			return err
		}
	case err == nil:
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is valid\n", path)
		return err
	default:
		// The problems are the answer here, one a line as compilers print them.
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), err)
	}
	if err != nil {
		return no(nil)
	}
	return nil
}

// problemsOf takes joined errors apart.
func problemsOf(err error) []problem {
	problems := []problem{}
	var located strictyaml.Errors
	joined, many := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case many:
		for _, e := range joined.Unwrap() {
			problems = append(problems, problemsOf(e)...)
		}
	case errors.As(err, &located):
		for _, p := range located {
			problems = append(problems, problem{p.File, p.Line, p.Field, p.Text})
		}
	default:
		problems = append(problems, problem{Text: err.Error()})
	}
	return problems
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := config.Schema()
			if err != nil {
				return no(err)
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}
