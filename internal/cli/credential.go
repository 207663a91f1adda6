package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newCredential() *cobra.Command {
	cmd := group("credential", "Create, change and end credentials of every kind")
	d := newDoor(cmd)
	cmd.AddCommand(newCredentialCreate(d), newCredentialList(d), newCredentialShow(d, credentialWords),
		newCredentialUpdate(d, credentialWords), newCredentialRevoke(d, credentialWords),
		newCredentialEnable(d, credentialWords), newCredentialDisable(d, credentialWords), newCredentialDelete(d, credentialWords))
	return cmd
}

// words are how a command calls the credentials that it is about: what the API
// does with a key it does with all of them.
type words struct {
	one string
	ids completion
}

var (
	keyWords        = words{"key", keyIDs}
	credentialWords = words{"credential", credentialIDs}
)

// on is a command about one of them.
func (w words) on(d *door, verb, short string) *cobra.Command {
	return &cobra.Command{Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(w.ids)}
}

// credentialFlags are what may be said of a credential of any kind.
type credentialFlags struct {
	id, label string
	scopes    []string
	expires   expiry
	constraintFlags
}

// credentialFields are the fields of the API that the flags write.
var credentialFields = []flagField{
	{"label", "label"},
	{"scope", "scopes"},
	{"expires", "expires_at"},
	{"address", "constraints"},
	{"method", "constraints"},
}

// errNeverRotated: the new key's life is the old one's unless a time is given.
var errNeverRotated = errors.New("--expires never: a rotation does not extend a key's life; change its expiry with key update")

func (f *credentialFlags) bind(cmd *cobra.Command) {
	f.bindSettings(cmd)
	cmd.Flags().StringVar(&f.id, "id", "", "its id; left out: made")
}

// bindSettings binds what may be changed later, too.
func (f *credentialFlags) bindSettings(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.label, "label", "", "a name for people")
	flags.StringArrayVar(&f.scopes, "scope", nil, "scope that it gives; may be repeated")
	flags.Var(&f.expires, "expires", "when it ends: after a duration such as 90d, at a time such as 2030-01-31T00:00:00Z, or never")
	f.constraintFlags.bind(cmd)
}

func (f *credentialFlags) credential(now time.Time) *adminv1.Credential {
	return &adminv1.Credential{
		Label: f.label, Scopes: given(f.scopes), ExpiresAt: f.expires.stamp(now), Constraints: f.constraints(nil),
	}
}

// credentialFilter says which credentials are listed.
type credentialFilter struct {
	consumer, prefix, label  string
	expiresWithin, unusedFor span
}

func (f *credentialFilter) bind(cmd *cobra.Command, d *door) {
	flags := cmd.Flags()
	flags.StringVar(&f.consumer, "consumer", "", "of this consumer alone")
	flags.StringVar(&f.prefix, "prefix", "", "what is shown of the key begins so")
	flags.StringVar(&f.label, "label", "", "with exactly this label")
	flags.Var(&f.expiresWithin, "expires-within", "those that end within this time, such as 30d")
	flags.Var(&f.unusedFor, "unused-for", "those that were neither used nor made in this time, such as 90d")
	_ = cmd.RegisterFlagCompletionFunc("consumer", d.complete(consumerNames)) // the flag is there: it was made above
}

func newCredentialList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List credentials by id, with warnings of those that somebody should look after", Args: cobra.NoArgs}
	var f credentialFilter
	f.bind(cmd, d)
	kind := cmd.Flags().String("type", "", "of this type alone")
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		all, notes, err := gather(*limit, func(size int32, token string) ([]*adminv1.Credential, string, error) {
			list, err := api.ListCredentials(cmd.Context(), &adminv1.ListCredentialsRequest{
				Consumer: f.consumer, Type: *kind, Prefix: f.prefix, Label: f.label,
				ExpiresWithin: f.expiresWithin.text, UnusedFor: f.unusedFor.text, PageSize: size, PageToken: token,
			})
			return list.GetCredentials(), list.GetNextPageToken(), err
		})
		return reportCredentials(all, notes, &adminv1.ListCredentialsResponse{Credentials: all}), err
	})
	return cmd
}

// reportCredentials lists credentials, and tells of each that somebody should
// look after.
func reportCredentials(all []*adminv1.Credential, notes []string, message proto.Message) *report {
	shown := &table{head: []string{"ID", "CONSUMER", "TYPE", "STATUS", "SHOWN", "SCOPES", "EXPIRES", "LAST USED", "LABEL"}}
	r := &report{message: message, text: []body{shown}, notes: notes}
	for _, c := range all {
		shown.rows = append(shown.rows, []string{c.GetId(), c.GetConsumer(), c.GetType(), c.GetStatus(), reference(c),
			join(c.GetScopes()), moment(c.GetExpiresAt()), moment(c.GetLastUsedAt()), c.GetLabel()})
		r.alone = append(r.alone, c.GetId())
		r.notes = append(r.notes, warnings(c)...)
	}
	return r
}

func warnings(c *adminv1.Credential) []string {
	var notes []string
	for _, warning := range c.GetWarnings() {
		notes = append(notes, "warning: "+c.GetId()+" of "+c.GetConsumer()+" "+warning)
	}
	return notes
}
