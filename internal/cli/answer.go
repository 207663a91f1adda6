package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/postern-authz/postern/internal/access"
)

// answer is a verdict as it is shown: what it is, what it makes the gateway do,
// and why.
type answer struct {
	Outcome    string `json:"outcome"`
	Code       string `json:"code"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	Route      string `json:"route"`
	Consumer   string `json:"consumer,omitempty"`
	Credential string `json:"credential,omitempty"`
	Revision   string `json:"revision"`
	DecisionID string `json:"decision_id"`
	// DryRun says that policy denied it and that it is let through all the same.
	DryRun bool `json:"dry_run,omitempty"`
	// Upstream are headers that are set on an allowed request, and Remove
	// those that are taken from it; Client are headers for the client.
	Upstream []header `json:"upstream_headers"`
	Remove   []string `json:"removed_headers"`
	Client   []header `json:"client_headers"`
	Body     string   `json:"body,omitempty"`

	Steps []access.Step `json:"steps"`
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newAnswer(v *access.Verdict, why *access.Explanation) answer {
	a := answer{
		Outcome: v.Outcome().String(), Code: string(v.Reason.Code), Status: v.Status, Detail: v.Reason.Detail,
		Route: v.Route, Revision: v.Revision, DecisionID: v.DecisionID,
		Upstream: []header{}, Remove: []string{}, Client: headers(v.Client), Body: v.Body, Steps: []access.Step{},
	}
	if v.Outcome() == access.Allowed {
		a.forward(v)
		a.DryRun = v.DryRun.Code != ""
	}
	if v.Identity != nil && v.Identity.Consumer != nil {
		a.Consumer = v.Identity.Consumer.Name
	}
	if v.Identity != nil && v.Identity.Credential != nil {
		a.Credential = v.Identity.Credential.ID
	}
	if why != nil {
		a.Steps = append(a.Steps, why.Steps...)
	}
	return a
}

// forward parts the managed headers as the doors do: one without a value is
// removed.
func (a *answer) forward(v *access.Verdict) {
	for _, h := range v.Managed {
		if h.Value == "" {
			a.Remove = append(a.Remove, strings.ToLower(h.Name))
			continue
		}
		a.Upstream = append(a.Upstream, header{h.Name, h.Value})
	}
	a.Upstream = append(a.Upstream, headers(v.Upstream)...)
	a.Remove = append(a.Remove, v.Remove...)
}

func headers(lines []access.Header) []header {
	out := make([]header, len(lines))
	for i, h := range lines {
		out[i] = header{h.Name, h.Value}
	}
	return out
}

func (a answer) write(w io.Writer, form output) error {
	if form != text {
		return form.write(w, a)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(t, "  %s\t%s\n", name, printable(value)) // Flush tells
		}
	}
	_, _ = fmt.Fprintf(t, "%s: %s (%d)\n", a.Outcome, a.Code, a.Status)
	line("detail", a.Detail)
	line("route", a.routeText())
	line("consumer", a.consumerText())
	line("revision", a.Revision)
	line("decision", a.DecisionID)
	for _, h := range a.Upstream {
		line("to upstream", h.Name+": "+h.Value)
	}
	line("removed", strings.Join(a.Remove, ", "))
	for _, h := range a.Client {
		line("to client", h.Name+": "+h.Value)
	}
	_, _ = fmt.Fprintln(t, "why:")
	for _, s := range a.Steps {
		line(s.Stop, s.Text)
	}
	return t.Flush()
}

func (a answer) routeText() string {
	if a.Route == "" {
		return "(default)"
	}
	return a.Route
}

func (a answer) consumerText() string {
	if a.Consumer == "" {
		return "(anonymous)"
	}
	return a.Consumer + " (credential " + a.Credential + ")"
}
