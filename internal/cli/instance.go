package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newInstance() *cobra.Command {
	cmd := group("instance", "See which instances run, and how far each has followed the changes")
	d := newDoor(cmd)
	list := &cobra.Command{Use: "list", Short: "List the instances that were heard of within an hour", Args: cobra.NoArgs}
	list.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		found, err := api.ListInstances(cmd.Context(), &adminv1.ListInstancesRequest{})
		return reportInstances(found), err
	})
	cmd.AddCommand(list)
	return cmd
}

func reportInstances(list *adminv1.ListInstancesResponse) *report {
	shown := &table{head: []string{"INSTANCE", "NAME", "STATUS", "APPLIED", "VERSION", "STARTED", "LAST SEEN"}}
	r := &report{message: list, text: []body{shown}}
	for _, i := range list.GetInstances() {
		status := "silent"
		if i.GetLive() {
			status = "running"
		}
		shown.rows = append(shown.rows, []string{i.GetId(), i.GetName(), status, strconv.FormatInt(i.GetApplied(), 10),
			i.GetVersion(), moment(i.GetStartedAt()), moment(i.GetLastSeenAt())})
		r.alone = append(r.alone, i.GetId())
	}
	return r
}
