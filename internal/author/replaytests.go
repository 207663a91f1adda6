package author

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/format"

	"github.com/postern-authz/postern/internal/journal"
)

// testsHead begins a file of tests. Whether a policy allows is asked of a list,
// which is empty where it answers nothing.
const testsHead = `# Decisions of a journal that another policy makes differently: %s.
package postern.replay_test

allows(answers) if true in answers

allows(answers) if {
	some answer in answers
	answer.allowed == true
}

`

// Tests are the flips between allowed and denied as tests in Rego, one a group
// and the largest groups first, that hold what was decided then, or what the new
// policy decides. It gives their number too.
func (r *Replayed) Tests(limit int, pinNew bool) ([]byte, int, error) {
	var b bytes.Buffer
	what := "each holds what was decided then"
	if pinNew {
		what = "each holds what is decided now"
	}
	fmt.Fprintf(&b, testsHead, what)
	n := 0
	for _, g := range r.Groups {
		if n == limit {
			break
		}
		if !g.pinnable() || len(g.kept) == 0 {
			continue
		}
		n++
		g.test(&b, n, pinNew, r.clocks[g.Entrypoint])
	}
	if n == 0 {
		return nil, 0, nil
	}
	text, err := format.Source("replay_test.rego", b.Bytes())
	return text, n, err
}

// pinnable reports that a decision went from yes to no or back: what else
// changed no test of an answer's yes or no can hold.
func (g *Group) pinnable() bool {
	from, to := verdictOf(g.From), verdictOf(g.To)
	return from != to && from != journal.Error && to != journal.Error
}

// verdictOf is allowed, denied or error of what is told of an outcome.
func verdictOf(told string) string {
	kind, _, _ := strings.Cut(told, " ")
	return kind
}

func (g *Group) test(b *bytes.Buffer, n int, pinNew, clock bool) {
	first := &g.kept[0]
	holds := verdictOf(g.From)
	if pinNew {
		holds = verdictOf(g.To)
	}
	fmt.Fprintf(b, "# Decision %s, of %d: %s → %s, consumer %s, route %s\n", strconv.Quote(first.id), g.Count, g.From, g.To, strconv.Quote(g.Consumer), strconv.Quote(g.Route))
	fmt.Fprintf(b, "# %s\n", strings.Join(strings.Fields(printableText(g.Rule)), " "))
	fmt.Fprintf(b, "test_%d_%s if {\n\tanswers := [answer | answer := %s]", n, holds, refOf(g.Entrypoint))
	fmt.Fprintf(b, " with input as %s", first.input)
	if clock {
		fmt.Fprintf(b, " with time.now_ns as %d", first.at.UnixNano())
	}
	if holds == journal.Allowed {
		b.WriteString("\n\tallows(answers)\n}\n\n")
		return
	}
	b.WriteString("\n\tnot allows(answers)\n}\n\n")
}

// printableText keeps a comment on its line.
func printableText(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
