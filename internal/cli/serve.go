package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/serve"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer gateways",
		Long: "Answer gateways over gRPC and HTTP until SIGINT or SIGTERM, which drain first; a\n" +
			"second one ends at once. SIGHUP, or a changed file, reloads.",
		Args: cobra.NoArgs,
	}
	o := serve.Options{Env: os.LookupEnv, Version: readBuild().Version}
	configFlag(cmd, &o.ConfigPath)
	flags := cmd.Flags()
	flags.StringVar(&o.GRPC, "grpc", "", "listen for Envoy here, whatever the file says (host:port or unix:/path)")
	flags.StringVar(&o.HTTP, "http", "", "listen for forward-auth here, whatever the file says")
	flags.StringVar(&o.Admin, "admin", "", "listen for /healthz, /readyz and /metrics here, whatever the file says")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return orNo(serve.Run(cmd.Context(), o))
	}
	return cmd
}

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "the configuration file; left out, every default counts")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there: it was made above
}

func orNo(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return no(err)
}
