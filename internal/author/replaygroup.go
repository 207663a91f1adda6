package author

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// Count is how often something was.
type Count struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
}

// Group are flips of one kind for one consumer and route, by one rule.
type Group struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Consumer string `json:"consumer"`
	Route    string `json:"route"`
	// Entrypoint is what was asked, Rule what of it decided: the rules that held
	// now, or what was missing.
	Entrypoint string `json:"entrypoint"`
	Rule       string `json:"rule"`
	Count      int64  `json:"count"`
	// Examples are ids of decisions, the first of the journal.
	Examples []string `json:"examples"`

	kept []example
}

type example struct {
	file, id string
	line     int
	at       time.Time
	input    []byte
}

func (e *example) before(o *example) bool {
	if by := strings.Compare(e.file, o.file); by != 0 {
		return by < 0
	}
	return e.line < o.line
}

type groupKey struct{ from, to, consumer, route, entrypoint, rule string }

// group counts a flip.
func (n *tally) group(key groupKey, one *journal.Record, input []byte, examples int) {
	g := n.groups[key]
	if g == nil {
		if len(n.groups) >= maxGroups {
			key.consumer, key.route, key.rule = "(others)", "", ""
		}
		if g = n.groups[key]; g == nil {
			g = newGroup(key)
			n.groups[key] = g
		}
	}
	g.Count++
	e := example{file: one.File, line: one.Line}
	if len(g.kept) >= max(examples, 1) && !e.before(&g.kept[len(g.kept)-1]) {
		return
	}
	e.id, e.at, e.input = one.ID.String(), one.Time(), bytes.Clone(input)
	g.keep(max(examples, 1), e)
}

func newGroup(k groupKey) *Group {
	return &Group{From: k.from, To: k.to, Consumer: k.consumer, Route: k.route, Entrypoint: k.entrypoint, Rule: k.rule}
}

// keep keeps the first examples.
func (g *Group) keep(limit int, more ...example) {
	g.kept = append(g.kept, more...)
	slices.SortFunc(g.kept, func(a, b example) int {
		if by := strings.Compare(a.file, b.file); by != 0 {
			return by
		}
		return a.line - b.line
	})
	g.kept = g.kept[:min(limit, len(g.kept))]
}

// gather sums up what the workers counted.
func (r *replay) gather(tallies []*tally) *Replayed {
	all := &Replayed{Revisions: map[string]string{}, clocks: map[string]bool{}, Files: len(r.options.Files), BlindAnswers: r.blind, Groups: []*Group{}}
	flips, why, groups := map[string]int64{}, map[string]int64{}, map[groupKey]*Group{}
	for _, n := range tallies {
		all.Decisions, all.Same, all.Flipped, all.Untold = all.Decisions+n.Decisions, all.Same+n.Same, all.Flipped+n.Flipped, all.Untold+n.Untold
		all.Remembered += n.Remembered
		if all.From.IsZero() || !n.From.IsZero() && n.From.Before(all.From) {
			all.From = n.From
		}
		if n.Until.After(all.Until) {
			all.Until = n.Until
		}
		merge(flips, n.flips)
		merge(why, n.why)
		for key, g := range n.groups {
			if groups[key] == nil {
				groups[key] = newGroup(key)
			}
			groups[key].Count += g.Count
			groups[key].keep(max(r.options.Examples, 1), g.kept...)
		}
	}
	all.Flips, all.Why = countsOf(flips), countsOf(why)
	for _, g := range groups {
		g.Examples = []string{}
		for i := range g.kept[:min(len(g.kept), r.options.Examples)] {
			g.Examples = append(g.Examples, g.kept[i].id)
		}
		all.Groups = append(all.Groups, g)
	}
	slices.SortFunc(all.Groups, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.From+a.To, b.From+b.To), strings.Compare(a.Consumer, b.Consumer), strings.Compare(a.Route, b.Route), strings.Compare(a.Rule, b.Rule))
	})
	r.targets.Range(func(_, t any) bool {
		if t := t.(*target); t.err == nil { //nolint:forcetypeassert // nothing else is in it
			all.Revisions[t.entrypoint] = t.snapshot.Revision()
			all.clocks[t.entrypoint] = slices.ContainsFunc(t.snapshot.Unremembered(t.entrypoint), func(u policy.Unremembered) bool { return strings.Contains(u.Text, "time.now_ns") })
		}
		return true
	})
	return all
}

func merge(into, from map[string]int64) {
	for text, n := range from {
		into[text] += n
	}
}

func countsOf(counts map[string]int64) []Count {
	all := make([]Count, 0, len(counts))
	for text, n := range counts {
		all = append(all, Count{text, n})
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.What, b.What))
	})
	return all
}
