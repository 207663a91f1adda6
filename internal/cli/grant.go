package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newGrant() *cobra.Command {
	cmd := group("grant", "Grant applications access to APIs, and take it away")
	d := newDoor(cmd)
	cmd.AddCommand(newGrantCreate(d), newGrantList(d), newGrantShow(d), newGrantDelete(d))
	return cmd
}

func newGrantCreate(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "create APPLICATION --api API --environment ENVIRONMENT", Short: "Grant an application access to an API",
		Long: "Grant an application access to an API in one environment. That makes a consumer\n" +
			"and its first key, which is shown this once; deleting the grant takes both away.",
		Example: "  postern grant create shop --api orders --environment prod --scope orders:read",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: d.complete(applicationNames),
	}
	var g adminv1.Grant
	var f credentialFlags
	flags := cmd.Flags()
	flags.StringVar(&g.Api, "api", "", "`name` of the API")
	flags.StringVar(&g.Environment, "environment", "", "environment, such as prod")
	flags.StringVar(&g.Plan, "plan", "", "the plan that its consumer is on")
	flags.StringArrayVar(&g.Groups, "group", nil, "group that its consumer is in; may be repeated")
	flags.StringArrayVar(&g.Roles, "role", nil, "role that its consumer has; may be repeated")
	flags.StringArrayVar(&f.scopes, "scope", nil, "scope that its key gives; may be repeated")
	flags.Var(&f.expires, "expires", "when its key ends: 90d, or a time")
	f.constraintFlags.bind(cmd)
	// The flags are there: they were made above.
	_ = cmd.MarkFlagRequired("api")
	_ = cmd.MarkFlagRequired("environment")
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		g.Scopes, g.ExpiresAt, g.Constraints = f.scopes, f.expires.stamp(time.Now()), f.constraints(nil)
		made, err := api.CreateGrant(cmd.Context(), &adminv1.CreateGrantRequest{Application: args[0], Grant: &g})
		r := reportGrant(made)
		r.alone, r.notes = []string{made.GetKey()}, []string{shownOnce}
		return r, err
	})
	return cmd
}

func newGrantShow(d *door) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a grant", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(grantIDs),
		RunE: d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
			found, err := api.GetGrant(cmd.Context(), &adminv1.GetGrantRequest{Id: args[0]})
			return reportGrant(found), err
		}),
	}
}

func newGrantDelete(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete ID", Short: "Take a grant away, with its consumer and keys",
		Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(grantIDs),
	}
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		gone, err := api.DeleteGrant(cmd.Context(), &adminv1.DeleteGrantRequest{Id: args[0], Version: *version})
		return told(gone, args[0], "grant %s is taken away, with its consumer and keys", args[0]), err
	})
	return cmd
}

func newGrantList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List grants by id", Args: cobra.NoArgs}
	application := cmd.Flags().String("application", "", "of this application alone")
	_ = cmd.RegisterFlagCompletionFunc("application", d.complete(applicationNames)) // the flag is there: it was made above
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		all, notes, err := gather(*limit, func(size int32, token string) ([]*adminv1.Grant, string, error) {
			list, err := api.ListGrants(cmd.Context(), &adminv1.ListGrantsRequest{Application: *application, PageSize: size, PageToken: token})
			return list.GetGrants(), list.GetNextPageToken(), err
		})
		shown := &table{head: []string{"ID", "APPLICATION", "API", "ENVIRONMENT", "CONSUMER", "CREATED"}}
		r := &report{message: &adminv1.ListGrantsResponse{Grants: all}, text: []body{shown}, notes: notes}
		for _, g := range all {
			shown.rows = append(shown.rows, []string{g.GetId(), g.GetApplication(), g.GetApi(), g.GetEnvironment(), g.GetConsumer(), moment(g.GetCreatedAt())})
			r.alone = append(r.alone, g.GetId())
		}
		return r, err
	})
	return cmd
}

func reportGrant(g *adminv1.Grant) *report {
	var r record
	r.add("ID", g.GetId())
	r.add("Application", g.GetApplication())
	r.add("API", g.GetApi())
	r.add("Environment", g.GetEnvironment())
	r.add("Consumer", g.GetConsumer())
	r.add("Key", g.GetKey())
	r.add("Key ID", g.GetKeyId())
	r.add("Version", strconv.FormatInt(g.GetVersion(), 10))
	r.add("Created", moment(g.GetCreatedAt()))
	return &report{message: g, text: []body{r}, alone: []string{g.GetId()}}
}
