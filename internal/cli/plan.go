package cli

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func newPlan() *cobra.Command {
	cmd := group("plan", "Create, change and end plans, which are named sets of limits")
	d := newDoor(cmd)
	cmd.AddCommand(newPlanApply(d), newPlanList(d), newPlanShow(d), newPlanDelete(d))
	return cmd
}

func newPlanApply(d *door) *cobra.Command {
	cmd := &cobra.Command{
		Use: "apply NAME", Short: "Make a plan what the flags say, whether it is there or not",
		Long: "Make a plan what the flags say, whether it is there or not. What no flag says it\n" +
			"does not have.",
		Example: "  postern plan apply free --rate 5/1s,burst=10 --quota 1000/month\n" +
			"  postern plan apply gold --rate 100/1s --quota 1000000/month,soft --display-name Gold",
		Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(planNames),
	}
	var rates rateFlag
	var quotas quotaFlag
	displayName := cmd.Flags().String("display-name", "", "a name for people")
	cmd.Flags().Var(&rates, "rate", "COUNT/PERIOD[,burst=COUNT]; may be repeated")
	cmd.Flags().Var(&quotas, "quota", "COUNT/hour, day, week, month or year, and [,soft]: only told of, not denied; may be repeated")
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		return applyPlan(cmd, api, &adminv1.Plan{Name: args[0], DisplayName: *displayName, Rates: rates, Quotas: quotas})
	})
	return cmd
}

// applyPlan changes the version that it has seen, or creates: what somebody
// else did meanwhile is a conflict.
func applyPlan(cmd *cobra.Command, api adminv1.AdminClient, p *adminv1.Plan) (*report, error) {
	now, err := api.GetPlan(cmd.Context(), &adminv1.GetPlanRequest{Name: p.GetName()})
	if r := readRefusal(err); r != nil && r.code == "not_found" {
		made, err := api.CreatePlan(cmd.Context(), &adminv1.CreatePlanRequest{Plan: p})
		return reportPlan(made), err
	}
	if err != nil {
		return nil, err
	}
	name := p.GetName()
	p.Name, p.Version = "", now.GetVersion()
	made, err := api.UpdatePlan(cmd.Context(), &adminv1.UpdatePlanRequest{
		Name: name, Plan: p, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name", "rates", "quotas"}},
	})
	return reportPlan(made), err
}

func newPlanShow(d *door) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a plan", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(planNames),
		RunE: d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
			found, err := api.GetPlan(cmd.Context(), &adminv1.GetPlanRequest{Name: args[0]})
			return reportPlan(found), err
		}),
	}
}

func newPlanDelete(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a plan that no consumer is on", Args: cobra.ExactArgs(1), ValidArgsFunction: d.complete(planNames)}
	version := versionFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		gone, err := api.DeletePlan(cmd.Context(), &adminv1.DeletePlanRequest{Name: args[0], Version: *version})
		return told(gone, args[0], "plan %s is deleted", args[0]), err
	})
	return cmd
}

func newPlanList(d *door) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List plans by name", Args: cobra.NoArgs}
	limit := limitFlag(cmd)
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		all, notes, err := gather(*limit, func(size int32, token string) ([]*adminv1.Plan, string, error) {
			list, err := api.ListPlans(cmd.Context(), &adminv1.ListPlansRequest{PageSize: size, PageToken: token})
			return list.GetPlans(), list.GetNextPageToken(), err
		})
		shown := &table{head: []string{"NAME", "DISPLAY NAME", "RATES", "QUOTAS", "CREATED"}}
		r := &report{message: &adminv1.ListPlansResponse{Plans: all}, text: []body{shown}, notes: notes}
		for _, p := range all {
			shown.rows = append(shown.rows, []string{p.GetName(), p.GetDisplayName(), ratesText(p.GetRates()), quotasText(p.GetQuotas()), moment(p.GetCreatedAt())})
			r.alone = append(r.alone, p.GetName())
		}
		return r, err
	})
	return cmd
}

func reportPlan(p *adminv1.Plan) *report {
	var r record
	r.add("Name", p.GetName())
	r.add("Display name", p.GetDisplayName())
	r.add("Rates", ratesText(p.GetRates()))
	r.add("Quotas", quotasText(p.GetQuotas()))
	r.stamp(p)
	return &report{message: p, text: []body{r}, alone: []string{p.GetName()}}
}
