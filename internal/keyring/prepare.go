package keyring

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// noEnvironment stands in the keys of consumers that have no environment.
const noEnvironment = "default"

// prepare makes a consumer's new credential of a declaration. It makes the key
// of an API key that has none, and hashes a password, which takes its time: so
// this is done before a ledger is locked.
func (k *Keyring) prepare(owner *consumer.Record, c *rules.Credential) (*Issued, error) {
	if err := k.issuable(owner); err != nil {
		return nil, err
	}
	issued := &Issued{}
	if c.Kind == access.KindAPIKey && c.Key.Empty() && c.KeySHA256 == "" {
		key, err := k.newKey(owner.Environment)
		if err != nil {
			return nil, err
		}
		c.Key, issued.Key = key, key
	}
	proof, problems := c.Read(rules.Written{Issuers: k.issuers()})
	if !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(k.now()) {
		problems = append(problems, Problem{Field: "expires_at", Text: "is in the past"})
	}
	if err := invalid(problems); err != nil {
		return nil, err
	}
	var err error
	issued.CredentialRecord, err = k.record(owner.Name, c, proof)
	return issued, err
}

// issuable refuses an environment that no keys are made for here.
func (k *Keyring) issuable(owner *consumer.Record) error {
	if list := k.options.Environments; len(list) > 0 && !slices.Contains(list, owner.Environment) {
		return conflict("consumer", owner.Name, "is of the environment %q; credentials are made here for %s", owner.Environment, strings.Join(list, ", "))
	}
	return nil
}

func (k *Keyring) issuers() []string {
	if k.options.Issuers == nil {
		return nil
	}
	if names := k.options.Issuers(); names != nil {
		return names
	}
	return []string{} // nil would be any
}

func (k *Keyring) newKey(environment string) (access.Secret, error) {
	if environment == "" {
		environment = noEnvironment
	}
	return consumer.NewKey(k.options.Prefix, environment, k.options.Random)
}

// record is a credential that was read, as a ledger keeps it.
func (k *Keyring) record(owner string, c *rules.Credential, proof *rules.Proof) (*consumer.CredentialRecord, error) {
	record := &consumer.CredentialRecord{
		Credential: proof.Credential, Consumer: owner, Label: proof.Label, Reference: proof.Reference,
		Algorithm: proof.Algorithm, Algorithms: proof.Algorithms, Secret: proof.Secret, Password: proof.Password,
	}
	record.ExpiresAt = toMicrosecond(record.ExpiresAt)
	if proof.PublicKey != nil {
		record.PublicKey = strings.TrimSpace(c.PublicKey)
	}
	var err error
	if !proof.Plain.Empty() {
		if record.Password, err = password.New(proof.Plain.Reveal(), k.options.Random); err != nil {
			return nil, err
		}
	}
	return record, k.name(record, c)
}

// name gives a credential its id: the given one, its key's, or a random one.
func (k *Keyring) name(record *consumer.CredentialRecord, c *rules.Credential) (err error) {
	var id string
	if record.Kind == access.KindAPIKey && !c.Key.Empty() {
		id, record.Prefix, record.LastFour = consumer.ShowKey(c.Key)
	}
	if record.ID == "" {
		record.ID = id
	}
	if record.ID == "" {
		record.ID, err = consumer.NewID(k.options.Random)
	}
	return err
}

// toMicrosecond is what every ledger keeps of a time. It cuts, so that no life
// grows.
func toMicrosecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}
