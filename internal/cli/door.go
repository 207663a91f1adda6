package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// What the environment says where flags say nothing.
const (
	serverVariable = "POSTERN_SERVER"
	tokenVariable  = "POSTERN_TOKEN"
	defaultServer  = "http://127.0.0.1:9193"
)

// doorHelp follows the help of every command that works on the admin API.
const doorHelp = `

It asks a running instance, by its admin listener: --server, or else
$` + serverVariable + `, or else ` + defaultServer + `; with the admin token that
--token refers to, or else the one in $` + tokenVariable + `. With --config it works
straight on the store that the configuration names, and needs no instance;
those that run see every change. An https:// server is verified by the system's
authorities, or those in $SSL_CERT_FILE.

Exit code 0: done; 1: no, it was refused or there is no such thing; 2: it could
not be asked.`

// instanceHelp follows the help of every command that asks one running instance.
const instanceHelp = `

It asks a running instance, by its admin listener: --server, or else
$` + serverVariable + `, or else ` + defaultServer + `; with the admin token that
--token refers to, or else the one in $` + tokenVariable + `. Each instance has its
own answer.

Exit code 0: done; 1: no, it was refused or there is no such thing; 2: it could
not be asked.`

// patience is how long a command waits for its answer. A wait for instances is
// shorter.
const patience = 2 * time.Minute

// door is how a command reaches the admin API, and in which form it answers.
type door struct {
	server   string
	token    secret
	config   string
	form     output
	quiet    bool
	patience time.Duration
	// instance: there is no config to work on in place of an instance.
	instance bool
}

// newDoor gives a command, and those below it, the flags of the door.
func newDoor(cmd *cobra.Command) *door {
	d := openDoor(cmd)
	cmd.PersistentFlags().StringVarP(&d.config, "config", "c", "", "work on the store of this configuration `file` instead of asking an instance")
	_ = cmd.MarkPersistentFlagFilename("config", "yaml", "yml") // the flag is there: it was made above
	cmd.Long = cmd.Short + "." + doorHelp
	return d
}

// newInstanceDoor is the door of what a running instance alone can tell or do.
func newInstanceDoor(cmd *cobra.Command) *door {
	d := openDoor(cmd)
	d.instance = true
	cmd.Long += instanceHelp
	return d
}

func openDoor(cmd *cobra.Command) *door {
	d := &door{form: text, patience: patience}
	flags := cmd.PersistentFlags()
	flags.StringVar(&d.server, "server", "", "`URL` of the admin listener: http://, https:// or unix:/path; or $"+serverVariable)
	flags.Var(&d.token, "token", "where the admin token stands: env:NAME or file:PATH; or $"+tokenVariable+", which holds it")
	flags.VarP(&d.form, "output", "o", "text, or json or yaml for machines")
	flags.BoolVarP(&d.quiet, "quiet", "q", false, "print keys, names or ids alone, one a line")
	completeOutput(cmd)
	return d
}

// task asks the admin API something. Its error is what the API answered, or an
// exit.
type task func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error)

// run makes a task what a command runs.
func (d *door) run(t task) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), d.patience)
		defer cancel()
		cmd.SetContext(ctx)
		api, leave, err := d.open(cmd)
		if err != nil {
			return unasked(err)
		}
		r, err := t(cmd, api, args)
		closeErr := leave()
		if err != nil {
			return explain(err)
		}
		if closeErr != nil {
			return no(fmt.Errorf("it was done, but: %w", closeErr))
		}
		return r.write(cmd, d.form, d.quiet)
	}
}

// open reaches the admin API. What it returns beside it ends that.
func (d *door) open(cmd *cobra.Command) (adminv1.AdminClient, func() error, error) {
	if d.config != "" {
		if d.server != "" || d.token.given() {
			return nil, nil, errors.New("--config works without an instance: give it, or --server and --token")
		}
		return openStore(cmd.Context(), d.config, cmd.ErrOrStderr())
	}
	token, err := d.adminToken(cmd)
	if err != nil {
		return nil, nil, err
	}
	return dial(d.address(), token, cmd.ErrOrStderr())
}

func (d *door) address() string {
	switch fromEnv := os.Getenv(serverVariable); {
	case d.server != "":
		return d.server
	case fromEnv != "":
		return fromEnv
	}
	return defaultServer
}
