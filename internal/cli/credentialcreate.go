package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/strictyaml"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newCredentialCreate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create --consumer NAME --type TYPE", Short: "Give a consumer a credential that exists already", Args: cobra.NoArgs,
		Long: "Give a consumer a credential of any type. What is secret is read from env:NAME,\n" +
			"file:PATH or standard input (-), never from the command line, which every user\n" +
			"of the machine can see. To have a key made, use key create.",
		Example: "  postern credential create --consumer mobile-app --type basic --username mobile --password file:password\n" +
			"  postern credential create --consumer mobile-app --type jwt --claim mobile-issuer --algorithm HS256 --secret env:SECRET\n" +
			"  postern credential create --consumer mobile-app --type client_certificate --uri-san spiffe://example.com/mobile",
	}
	var f credentialFlags
	var p proofFlags
	f.bind(cmd)
	p.bind(cmd)
	owner := ownerFlag(cmd, d)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		c := f.credential(time.Now())
		c.Id = f.id
		if err := p.read(cmd, c); err != nil {
			return nil, err
		}
		made, err := api.CreateCredential(cmd.Context(), &adminv1.CreateCredentialRequest{Consumer: *owner, Credential: c})
		if made.GetType() == typeKey && made.GetKey() != "" {
			return reportKey(made), err
		}
		return reportCredential(made), err
	})
	return cmd
}

// proofFlags say what finds and proves a credential.
type proofFlags struct {
	kind                                   string
	key, secret, password, passwordHash    secret
	keySHA256, claim, algorithm, publicKey string
	issuer, value, username, keyID         string
	algorithms                             []string
	uriSAN, dnsSAN, subject, sha256        string
}

func (p *proofFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.kind, "type", "", "api_key, jwt, issuer, basic, signature or client_certificate")
	flags.Var(&p.key, "key", "api_key: where the key stands")
	flags.StringVar(&p.keySHA256, "key-sha256", "", "api_key: the key's SHA-256 in hex, instead of the key")
	flags.StringVar(&p.claim, "claim", "", "jwt: `value` of the token's claim iss or key")
	flags.StringVar(&p.algorithm, "algorithm", "", "jwt: such as HS256 or ES256")
	flags.Var(&p.secret, "secret", "jwt with HS…, signature: where the secret stands")
	flags.StringVar(&p.publicKey, "public-key-file", "", "jwt: `file` with the public key, PEM or JWK")
	flags.StringVar(&p.issuer, "issuer", "", "issuer: `name` of a configured issuer")
	flags.StringVar(&p.value, "value", "", "issuer: value of the claim that names the consumer")
	flags.StringVar(&p.username, "username", "", "basic: the username")
	flags.Var(&p.password, "password", "basic: where the password stands")
	flags.Var(&p.passwordHash, "password-hash", "basic: where its hash stands, instead of the password")
	flags.StringVar(&p.keyID, "key-id", "", "signature: the key id that requests name")
	flags.StringArrayVar(&p.algorithms, "signature-algorithm", nil, "signature: algorithm that may be used; may be repeated")
	flags.StringVar(&p.uriSAN, "uri-san", "", "client_certificate: its URI name")
	flags.StringVar(&p.dnsSAN, "dns-san", "", "client_certificate: its DNS name")
	flags.StringVar(&p.subject, "subject", "", "client_certificate: its subject")
	flags.StringVar(&p.sha256, "sha256", "", "client_certificate: its SHA-256 in hex")
	// The flags are there: they were made above.
	_ = cmd.MarkFlagRequired("type")
	_ = cmd.MarkFlagFilename("public-key-file")
	kinds := []cobra.Completion{typeKey, "jwt", "issuer", "basic", "signature", "client_certificate"}
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
}

// read writes the flags into c. Which of them go together is the API's to say.
func (p *proofFlags) read(cmd *cobra.Command, c *adminv1.Credential) error {
	c.Type, c.Key, c.KeySha256 = p.kind, p.claim, p.keySHA256
	c.Algorithm, c.Issuer, c.Value, c.Username = p.algorithm, p.issuer, p.value, p.username
	c.KeyId, c.Algorithms = p.keyID, p.algorithms
	c.UriSan, c.DnsSan, c.Subject, c.Sha256 = p.uriSAN, p.dnsSAN, p.subject, p.sha256
	if p.publicKey != "" {
		data, err := strictyaml.ReadFile(p.publicKey, maxSecret)
		if err != nil {
			return unasked(fmt.Errorf("--public-key-file %s %w", p.publicKey, err))
		}
		c.PublicKey = string(data)
	}
	return p.readSecrets(cmd, c)
}

func (p *proofFlags) readSecrets(cmd *cobra.Command, c *adminv1.Credential) error {
	for _, s := range []struct {
		flag string
		from *secret
		into *string
	}{
		{"key", &p.key, &c.Key}, {"secret", &p.secret, &c.Secret},
		{"password", &p.password, &c.Password}, {"password-hash", &p.passwordHash, &c.PasswordHash},
	} {
		value, err := s.from.read(cmd, s.flag)
		if err != nil {
			return err
		}
		if !value.Empty() {
			*s.into = string(value.Reveal())
		}
	}
	return nil
}
