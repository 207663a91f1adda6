package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// maxSecret bounds a secret that is read from a file, in bytes.
const maxSecret = 64 << 10

// secret is a flag that says where a secret stands: env:NAME, file:PATH or -
// for standard input. It never holds the secret itself: what stands on a
// command line is seen by everybody on the machine, and kept by shells.
type secret struct {
	reference string
	// plain: the flag holds something else, perhaps the secret, which was not
	// kept.
	plain bool
}

// String implements pflag.Value.
func (s *secret) String() string { return s.reference }

// Type implements pflag.Value.
func (*secret) Type() string { return "reference" }

// Set implements pflag.Value. It takes everything: the error of a flag repeats
// its value, which may be the secret.
func (s *secret) Set(reference string) error {
	kind, rest, found := strings.Cut(reference, ":")
	*s = secret{plain: reference != "-" && (!found || rest == "" || kind != "env" && kind != "file")}
	if !s.plain {
		s.reference = reference
	}
	return nil
}

func (s *secret) given() bool { return s.plain || s.reference != "" }

// read reads the secret, without the end of its last line; an empty one where
// the flag is not given. flag is its name, for errors.
func (s *secret) read(cmd *cobra.Command, flag string) (access.Secret, error) {
	switch {
	case s.plain:
		return access.Secret{}, unasked(fmt.Errorf("--%s: expected env:NAME, file:PATH or - for standard input; a secret on the command line is seen by every user of the machine", flag))
	case !s.given():
		return access.Secret{}, nil
	}
	value, err := s.value(cmd.InOrStdin())
	if err == nil && value == "" {
		err = errors.New("is empty")
	}
	if err != nil {
		return access.Secret{}, unasked(fmt.Errorf("what --%s refers to (%s) %w", flag, s.reference, err))
	}
	return access.NewSecret(value), nil
}

func (s *secret) value(stdin io.Reader) (string, error) {
	kind, rest, _ := strings.Cut(s.reference, ":")
	switch kind {
	case "env":
		value, ok := os.LookupEnv(rest)
		if !ok {
			return "", errors.New("is not set")
		}
		return value, nil
	case "file":
		data, err := strictyaml.ReadFile(rest, maxSecret)
		return strings.TrimRight(string(data), "\r\n"), err
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxSecret+1))
	if len(data) > maxSecret {
		return "", fmt.Errorf("is larger than %d bytes", maxSecret)
	}
	return strings.TrimRight(string(data), "\r\n"), err
}

// adminToken is the token that --token refers to, or the environment's.
func (d *door) adminToken(cmd *cobra.Command) (access.Secret, error) {
	token, err := d.token.read(cmd, "token")
	if err != nil {
		return access.Secret{}, err
	}
	if token.Empty() {
		token = access.NewSecret(os.Getenv(tokenVariable))
	}
	if token.Empty() {
		needed := "an admin token is needed: --token env:NAME or file:PATH, or $" + tokenVariable
		if !d.instance {
			needed += "; or --config FILE to work on the store itself"
		}
		return access.Secret{}, errors.New(needed)
	}
	for _, b := range token.Reveal() {
		if b <= ' ' || b > '~' {
			return access.Secret{}, errors.New("the admin token has characters that no token has; expected visible ASCII")
		}
	}
	return token, nil
}
