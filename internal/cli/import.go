package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/importer"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// importPatience is how long an import may take: it may hold a whole gateway's
// consumers, and is one change.
const importPatience = 15 * time.Minute

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import FILE…", Short: "Import consumers from another gateway's document", Args: cobra.MinimumNArgs(1),
		Example: "  postern import --dry-run kong.yaml\n" +
			"  kubectl get apisixconsumers,secrets -o yaml | postern import --format apisix-crd -",
	}
	d := newDoor(cmd)
	d.patience = importPatience
	cmd.Long = cmd.Short + ", or show what that would do.\n\n" +
		"Several FILEs are read as one stream, which only Kubernetes objects may be; - is\n" +
		"standard input. All of it is imported, or nothing; importing twice changes\n" +
		"nothing." + doorHelp
	format := importFormat(importer.Auto)
	cmd.Flags().Var(&format, "format", "format of the document: "+formatList())
	dryRun := cmd.Flags().Bool("dry-run", false, "only print what comes over, what changes its meaning, and what can't come and why")
	_ = cmd.RegisterFlagCompletionFunc("format", completeFormats) // the flag is there: it was made above
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, args []string) (*report, error) {
		s, err := readStream(args, cmd.InOrStdin())
		if err != nil {
			return nil, unasked(err)
		}
		done, err := api.Import(cmd.Context(), &adminv1.ImportRequest{Format: format.word(), Document: s.text.String(), DryRun: dryRun})
		if r := readRefusal(err); r != nil {
			s.place(r)
			return nil, no(r)
		}
		return reportImport(done, &s, *dryRun), err
	})
	return cmd
}

func reportImport(done *adminv1.ImportResponse, s *stream, dryRun bool) *report {
	shown := &table{head: []string{"ACTION", "KIND", "NAME", "WHERE", "NOTES"}}
	count := map[string]int{}
	for _, e := range done.GetEntries() {
		count[e.GetAction()]++
		e.Source = s.at(e.GetSource())
		shown.rows = append(shown.rows, []string{e.GetAction(), e.GetKind(), e.GetName(), e.GetSource(), strings.Join(e.GetNotes(), "; ")})
	}
	summary := fmt.Sprintf("read as %s: create %d, update %d, unchanged %d, skip %d, refuse %d", done.GetFormat(),
		count["create"], count["update"], count["unchanged"], count["skip"], count["refuse"])
	r := &report{message: done, text: []body{shown, sentence(summary)}}
	switch {
	case count["refuse"] > 0:
		r.negative, r.notes = true, []string{"what is refused is in the way of all; nothing is imported"}
	case dryRun:
		r.notes = []string{"this was a dry run; nothing is imported"}
	case !done.GetApplied():
		r.negative, r.notes = true, []string{"nothing is imported"}
	}
	return r
}

// importFormat is a flag that takes the formats that there are.
type importFormat importer.Format

// String implements pflag.Value.
func (f *importFormat) String() string { return string(*f) }

// Type implements pflag.Value.
func (*importFormat) Type() string { return "format" }

// Set implements pflag.Value.
func (f *importFormat) Set(text string) error {
	for _, known := range importer.Formats() {
		if text == string(known) {
			*f = importFormat(known)
			return nil
		}
	}
	return errors.New("expected one of " + formatList())
}

// word is what the API calls it; empty: it is told from the document.
func (f *importFormat) word() string {
	if importer.Format(*f) == importer.Auto {
		return ""
	}
	return string(*f)
}

func formatList() string {
	var list []string
	for _, known := range importer.Formats() {
		list = append(list, string(known))
	}
	return join(list)
}

func completeFormats(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return strings.Split(formatList(), ", "), cobra.ShellCompDirectiveNoFileComp
}

func newExport() *cobra.Command {
	cmd := &cobra.Command{Use: "export", Short: "Print all consumers in the declarative format, without secrets", Args: cobra.NoArgs}
	d := newDoor(cmd)
	d.patience = importPatience
	cmd.RunE = d.run(func(cmd *cobra.Command, api adminv1.AdminClient, _ []string) (*report, error) {
		done, err := api.Export(cmd.Context(), &adminv1.ExportRequest{})
		return &report{message: done, text: []body{verbatim(done.GetDocument())}, notes: done.GetNotes()}, err
	})
	return cmd
}
