package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/serve"
)

func newCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Ask about one request, and be told why",
		Long: "Ask about one request, as Envoy would, and be told the verdict and every step to\n" +
			"it. No listener is opened, and no gateway is needed.\n\n" +
			"Exit code 0: allowed; 1: denied or a fault; 2: the question could not be asked.",
		Example: "  postern check -c postern.yaml --path /orders/1 --host api.example.com --header 'X-API-Key: …'\n" +
			"  postern check -c postern.yaml --check-request request.json --output json",
		Args: cobra.NoArgs,
	}
	var path string
	var question question
	configFlag(cmd, &path)
	question.flags(cmd)
	cmd.MarkFlagsOneRequired("path", "check-request")
	form := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		verdict, why, err := ask(cmd, path, &question)
		if err != nil {
			return unasked(err)
		}
		if err := newAnswer(verdict, why).write(cmd.OutOrStdout(), *form); err != nil {
			return unasked(err)
		}
		if verdict.Outcome() != access.Allowed {
			return no(nil)
		}
		return nil
	}
	return cmd
}

// ask reads the question as the gRPC door of that configuration would, and has
// it judged.
func ask(cmd *cobra.Command, path string, q *question) (*access.Verdict, *access.Explanation, error) {
	c, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	req, err := q.read(cmd.InOrStdin(), c.Listen.GRPC.TrustedProxies)
	if err != nil {
		return nil, nil, err
	}
	return serve.Check(cmd.Context(), serve.CheckOptions{ConfigPath: path, Env: os.LookupEnv, Request: req})
}
