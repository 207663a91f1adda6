package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitYes   = 0
	exitNo    = 1
	exitUsage = 2
)

// Run runs the command that args name, without the program's own name, and
// returns the exit code. An error is told of once, on stderr. A command that
// stays, such as serve, ends when ctx does.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // each command takes the context that it is executed with
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	at, err := root.ExecuteContextC(ctx)
	var end exit
	switch {
	case err == nil:
		return exitYes
	case errors.As(err, &end):
		end.tell(stderr)
		return end.code
	}
	// Everything that no command said itself is cobra's word on flags and
	// arguments.
	_, _ = fmt.Fprintf(stderr, "postern: %v\nRun '%s --help' for usage.\n", err, at.CommandPath())
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "postern",
		Short: "An external authorization service for API gateways",
		Long: "Postern stands beside the gateway: the gateway asks it about every request,\n" +
			"and it answers who the consumer is and whether they may.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          needsCommand,
	}
	root.AddCommand(newServe(), newCheck(), newPolicy(), newConfig(), newVersion())
	root.AddCommand(newConsumer(), newKey(), newCredential(), newApplication(), newGrant(), newPlan(),
		newAudit(), newInstance(), newImport(), newExport())
	return root
}

// needsCommand stands in for a command that is only a group of others.
func needsCommand(cmd *cobra.Command, _ []string) error {
	_, _ = fmt.Fprint(cmd.ErrOrStderr(), cmd.UsageString())
	return exit{code: exitUsage}
}

// exit is a command's own end, other than yes. A nil err has been told of
// already.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// tell keeps several problems one a line, each with its file and line in front.
func (e exit) tell(w io.Writer) {
	switch {
	case e.err == nil, tellRefusal(w, e.err):
	case strings.Contains(e.Error(), "\n"):
		_, _ = fmt.Fprintf(w, "postern: there are several problems:\n%v\n", e.err)
	default:
		_, _ = fmt.Fprintf(w, "postern: %v\n", e.err)
	}
}

// no is the answer to a question that was asked.
func no(err error) error { return exit{exitNo, err} }

// unasked says that the question could not be asked.
func unasked(err error) error { return exit{exitUsage, err} }
