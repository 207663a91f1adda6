package importer

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Summary counts what a plan does.
type Summary struct {
	Format      Format `json:"format"`
	Consumers   int    `json:"consumers"`
	Credentials int    `json:"credentials"`
	Plans       int    `json:"plans"`
	// Changes counts the notes of what comes over otherwise than it was, Refused
	// the consumers and credentials that can't come.
	Changes int `json:"changes"`
	Refused int `json:"refused"`
}

// Summary counts what the plan does.
func (p *Plan) Summary() Summary {
	s := Summary{Format: p.Format, Consumers: len(p.Consumers), Plans: len(p.Plans), Refused: p.Refused()}
	for _, c := range p.Consumers {
		s.Credentials += len(c.Credentials)
	}
	for _, item := range p.Items {
		if item.Outcome == Changes {
			s.Changes++
		}
	}
	return s
}

// MarshalJSON writes the summary and the items, and so no secret.
func (p *Plan) MarshalJSON() ([]byte, error) {
	items := p.Items
	if items == nil {
		items = []Item{}
	}
	return json.Marshal(struct {
		Summary
		Items []Item `json:"items"`
	}{p.Summary(), items})
}

// WriteTable writes the plan for people: what comes over, what changes and what
// can't come, and a line of counts.
func (p *Plan) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "OUTCOME\tKIND\tNAME\tCONSUMER\tPLACE\tTEXT"); err != nil {
		return err
	}
	for _, item := range p.Items {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s:%d\t%s\n", item.Outcome, item.Kind,
			shown(item.Name), shown(item.Consumer), shown(item.File), item.Line, shown(item.Text))
		if err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	s := p.Summary()
	_, err := fmt.Fprintf(w, "\n%s, %s and %s come over, with %s; %d can't come.\n", count(s.Consumers, "consumer"),
		count(s.Credentials, "credential"), count(s.Plans, "plan"), count(s.Changes, "change"), s.Refused)
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// shown takes from a text what would move a terminal's cursor or part a cell.
func shown(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return '?'
		}
		return c
	}, text)
}
