package cli

import (
	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newApplication() *cobra.Command {
	cmd := group("application", "Create, change and end developers' applications")
	d := newDoor(cmd)
	cmd.AddCommand(newApplicationCreate(d), newApplicationList(d), newApplicationShow(d), newApplicationUpdate(d), newApplicationDelete(d))
	return cmd
}

// applicationFlags are what may be said of an application.
type applicationFlags struct {
	displayName, owner string
	labels             []string
}

// applicationFields are the fields of the API that the flags write.
var applicationFields = []flagField{{"display-name", "display_name"}, {"owner", "owner"}, {"label", "labels"}}

func (f *applicationFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.displayName, "display-name", "", "a name for people")
	cmd.Flags().StringVar(&f.owner, "owner", "", "who answers for it")
	cmd.Flags().StringArrayVar(&f.labels, "label", nil, "label `NAME=VALUE`; may be repeated")
}

func (f *applicationFlags) application(name string) (*adminv1.Application, error) {
	labels, err := readPairs("label", f.labels)
	return &adminv1.Application{Name: name, DisplayName: f.displayName, Owner: f.owner, Labels: labels}, err
}

func newApplicationCreate(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "create NAME", Short: "Create an application", Args: cobra.ExactArgs(1)}
	var f applicationFlags
	f.bind(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		a, err := f.application(args[0])
		if err != nil {
			return nil, err
		}
		made, err := api.CreateApplication(cmd.Context(), &adminv1.CreateApplicationRequest{Application: a})
		return reportApplication(made), err
	})
	return cmd
}

func newApplicationShow(d *door) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show an application", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(applicationNames),
		RunE: d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
			found, err := api.GetApplication(cmd.Context(), &adminv1.GetApplicationRequest{Name: args[0]})
			return reportApplication(found), err
		}),
	}
}

func newApplicationUpdate(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "update NAME", Short: "Change an application", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(applicationNames)}
	var f applicationFlags
	f.bind(cmd)
	version := versionFlag(cmd)
	changes(cmd, applicationFields)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		a, err := f.application("")
		if err != nil {
			return nil, err
		}
		a.Version = *version
		made, err := api.UpdateApplication(cmd.Context(), &adminv1.UpdateApplicationRequest{
			Name: args[0], Application: a, UpdateMask: mask(cmd, applicationFields),
		})
		return reportApplication(made), err
	})
	return cmd
}

func newApplicationDelete(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete an application", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(applicationNames)}
	cascade := cmd.Flags().Bool("cascade", false, "take its grants away, too, with their consumers and keys")
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		gone, err := api.DeleteApplication(cmd.Context(), &adminv1.DeleteApplicationRequest{Name: args[0], Version: *version, Cascade: *cascade})
		return told(gone, args[0], "application %s is deleted", args[0]), err
	})
	return cmd
}

func newApplicationList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List applications by name", Args: cobra.NoArgs}
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		all, notes, err := gather(*limit, func(size int32, token string) ([]*adminv1.Application, string, error) {
			list, err := api.ListApplications(cmd.Context(), &adminv1.ListApplicationsRequest{PageSize: size, PageToken: token})
			return list.GetApplications(), list.GetNextPageToken(), err
		})
		shown := &table{head: []string{"NAME", "DISPLAY NAME", "OWNER", "LABELS", "CREATED"}}
		r := &report{message: &adminv1.ListApplicationsResponse{Applications: all}, text: []body{shown}, notes: notes}
		for _, a := range all {
			shown.rows = append(shown.rows, []string{a.GetName(), a.GetDisplayName(), a.GetOwner(), pairs(a.GetLabels()), moment(a.GetCreatedAt())})
			r.alone = append(r.alone, a.GetName())
		}
		return r, err
	})
	return cmd
}

func reportApplication(a *adminv1.Application) *report {
	var r record
	r.add("Name", a.GetName())
	r.add("Display name", a.GetDisplayName())
	r.add("Owner", a.GetOwner())
	r.add("Labels", pairs(a.GetLabels()))
	r.stamp(a)
	return &report{message: a, text: []body{r}, alone: []string{a.GetName()}}
}
