package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/bundles"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/wholefile"
)

// built is a bundle to be made.
type built struct {
	subject
	out     string
	options bundles.BuildOptions
	key     secret
	signing bundles.Signing
}

func newPolicyBuild() *cobra.Command {
	cmd := &cobra.Command{
		Use: "build DIR", Short: "Make a bundle of a policy, signed if wanted",
		Long: "Compile a policy as strictly as the gate does, and write it as an OPA bundle, which\n" +
			"policy.bundles serves. Tests are left out.\n\n" +
			"The same input gives the same bytes, except with the signatures that use\n" +
			"randomness: PS256, PS384, PS512, ES256, ES384 and ES512.\n\n" +
			"Exit code 0: written; 1: the policy has problems, told as file:line; 2: it could\n" +
			"not be written.",
	}
	var b built
	b.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&b.out, "out", "o", "bundle.tar.gz", "`file` to write")
	f.StringVar(&b.options.Revision, "revision", "", "the bundle's `revision` (default: a digest of the policy)")
	f.StringSliceVar(&b.options.Roots, "root", nil, "`path` below data that the bundle claims, such as shop/orders (default: all); may be repeated")
	f.Var(&b.key, "signing-key", "where the private key in PEM, or the secret for HS256, HS384 and HS512, stands: env:NAME, file:PATH or -")
	f.StringVar(&b.signing.Algorithm, "signing-alg", "RS256", "`algorithm` of the signature")
	f.StringVar(&b.signing.KeyID, "key-id", "", "`name` of the key, which verification.key_id asks for")
	f.StringVar(&b.signing.Scope, "scope", "", "`scope` of the signature, which verification.scope asks for")
	cmd.RunE = asking(b.run)
	return cmd
}

func (b *built) run(cmd *cobra.Command, args []string) error {
	if err := b.at(args); err != nil {
		return err
	}
	if err := b.takeKey(cmd); err != nil {
		return err
	}
	compiled, err := b.strict(cmd)
	if err != nil {
		return ofPolicy(err)
	}
	var out bytes.Buffer
	if err := bundles.Build(&out, compiled, b.options); err != nil {
		return unasked(err)
	}
	if err := wholefile.Replace(b.out, 0o644, func(w io.Writer) error {
		_, err := w.Write(out.Bytes())
		return err
	}); err != nil {
		return unasked(err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes, %s\n", b.out, out.Len(), b.signed())
	return err
}

func (b *built) signed() string {
	if b.options.Signing == nil {
		return "not signed"
	}
	return "signed with " + b.signing.Algorithm
}

// algorithms are those that a bundle may be signed with.
var bundleAlgorithms = regexp.MustCompile(`^(RS|PS|ES|HS)(256|384|512)$`)

func (b *built) takeKey(cmd *cobra.Command) (err error) {
	if !b.key.given() {
		for _, flag := range []string{"signing-alg", "key-id", "scope"} {
			if cmd.Flags().Changed(flag) {
				return unasked(fmt.Errorf("--%s says how to sign; expected --signing-key beside it", flag))
			}
		}
		return nil
	}
	if !bundleAlgorithms.MatchString(b.signing.Algorithm) {
		return unasked(errors.New("--signing-alg: expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, HS256, HS384 or HS512"))
	}
	b.signing.Key, err = b.key.read(cmd, "signing-key")
	b.options.Signing = &b.signing
	return err
}

// strict compiles as the gate would, with the entry points and builtins of the
// configuration, if one is given.
func (b *built) strict(cmd *cobra.Command) (*policy.Snapshot, error) {
	o := policy.Options{Directory: b.directory, Entrypoints: b.entrypoints, AllowedBuiltins: b.builtins, Now: time.Now}
	if b.config != "" {
		c, err := config.Load(b.config, os.LookupEnv)
		if err != nil {
			return nil, unasked(err)
		}
		o.Entrypoints, o.AllowedBuiltins = c.Policy.Entrypoints, append(o.AllowedBuiltins, c.Policy.AllowedBuiltins...)
	}
	return policy.Compile(cmd.Context(), o)
}
