package author

import (
	"context"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// The bounds of looking for what is missing. It is looked for once for questions
// in which the new policy reads the same. Of those that differ, and fail in the
// same places, it is looked for in the first; where it is the same in all of
// them, it is that of the others too.
const (
	// agreeingConsumer is how many denials of one consumer, agreeingRoute how many
	// of any must lack the same.
	agreeingConsumer = 3
	agreeingRoute    = 24
	// mostSearches is how many of one consumer are looked into where they differ,
	// mostKinds how many kinds are told apart.
	mostSearches = 48
	mostKinds    = 100_000
)

// kind is a sort of denials: one entry point, one route, the same rules tried,
// which failed in the same places. Consumer is empty for that of all consumers.
type kind struct {
	entrypoint, route, consumer string
	failed                      uint64
}

// looked is what was found missing in the first denials of a kind.
type looked struct {
	texts map[string]int
	n     int
}

// only is the one text that was found in so many.
func (l *looked) only(n int) (string, bool) {
	if l.n < n || len(l.texts) > 1 {
		return "", false
	}
	return l.mostly(), true
}

// mostly is what was found most.
func (l *looked) mostly() string {
	most := ""
	for text, n := range l.texts {
		if most == "" || n > l.texts[most] || n == l.texts[most] && text < most {
			most = text
		}
	}
	return most
}

// causes are what is known of kinds.
type causes struct {
	mu    sync.Mutex
	kinds map[kind]*looked
}

func newCauses() *causes { return &causes{kinds: map[kind]*looked{}} }

// known is what is missing in a denial, where enough of its kind were looked
// into.
func (c *causes) known(k kind) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.at(kind{entrypoint: k.entrypoint, route: k.route, failed: k.failed})
	if text, ok := all.only(agreeingRoute); ok {
		return text, true
	}
	own := c.at(k)
	if text, ok := own.only(agreeingConsumer); ok {
		return text, true
	}
	if own.n >= mostSearches {
		return own.mostly(), true
	}
	return "", false
}

// at gives a kind's own, or where there are too many that of all consumers.
func (c *causes) at(k kind) *looked {
	if c.kinds[k] == nil && len(c.kinds) >= mostKinds {
		k = kind{entrypoint: k.entrypoint}
	}
	if c.kinds[k] == nil {
		c.kinds[k] = &looked{texts: map[string]int{}}
	}
	return c.kinds[k]
}

func (c *causes) learn(k kind, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []*looked{c.at(kind{entrypoint: k.entrypoint, route: k.route, failed: k.failed}), c.at(k)} {
		l.n++
		l.texts[text]++
	}
}

// reasonOf is what decided: the rules that held, or what was missing.
func (r *replay) reasonOf(t *target, now answer, one *journal.Record, input []byte) string {
	now.reason.once.Do(func() {
		probe := t.snapshot.ProbeRecorded(journal.Term(input), one.Time())
		sketch := newSketch()
		// Its error is the decision's.
		_ = probe.Solve(r.ctx, t.snapshot.EntrypointQuery(t.entrypoint), searchTime, sketch, func(topdown.QueryResult) error { return nil })
		if now.outcome == journal.Allowed {
			now.reason.text = t.held(sketch, r.options.Directory)
			return
		}
		k := kind{t.entrypoint, one.Route.String(), one.Consumer.String(), sketch.failed}
		text, known := r.causes.known(k)
		if !known {
			text = t.missing(r.ctx, probe, k.consumer, r.options.Directory)
			r.causes.learn(k, text)
		}
		now.reason.text = text
	})
	return now.reason.text
}

// sketch notes where an evaluation went: which rules held, and in which places
// expressions failed.
type sketch struct {
	held   map[*ast.Rule]bool
	places map[*ast.Location]bool
	failed uint64
}

func newSketch() *sketch {
	return &sketch{held: map[*ast.Rule]bool{}, places: map[*ast.Location]bool{}}
}

// Enabled implements topdown.QueryTracer.
func (*sketch) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (*sketch) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (s *sketch) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		if e.Op == topdown.ExitOp && !s.held[node] {
			s.held[node] = true
			s.mix(node.Location, "held")
		}
	case *ast.Expr:
		if e.Op == topdown.FailOp && !s.places[node.Location] {
			s.places[node.Location] = true
			s.mix(node.Location, "failed")
		}
	}
}

// mix adds a place in no order.
func (s *sketch) mix(at *ast.Location, what string) {
	if at == nil {
		return
	}
	sum := fnv.New64a()
	_, _ = fmt.Fprintf(sum, "%s %s:%d:%d", what, at.File, at.Row, at.Col) // a hash never fails
	s.failed += sum.Sum64()
}

// missing sums up what would have allowed. Of one consumer it goes by its places
// in the policy: its words may name values, which differ.
func (t *target) missing(ctx context.Context, probe *policy.Probe, consumer, directory string) string {
	x := Explanation{NearMisses: nearMisses(ctx, probe, t.snapshot.Compiler(), refOf(t.entrypoint))}
	x.under(directory)
	if len(x.NearMisses) == 0 {
		return "no small change would have allowed it"
	}
	var places, texts []string
	for _, lack := range x.NearMisses[0] {
		place := fmt.Sprintf("%s:%d", lack.File, lack.Line)
		places = append(places, place)
		texts = append(texts, lack.Text+" ("+place+")")
	}
	place := strings.Join(places, " ")
	if len(texts) == 1 && strings.HasPrefix(texts[0], "lacks ") {
		return texts[0] // these are few, and tell more
	}
	first, _ := t.places.LoadOrStore([2]string{consumer, place}, strings.Join(texts, ", and "))
	return first.(string) //nolint:forcetypeassert // nothing else is in it
}

// held are the entry point's own rules that held.
func (t *target) held(s *sketch, directory string) string {
	own := strings.ReplaceAll(t.entrypoint, "/", ".")
	var rules []*ast.Rule
	for rule := range s.held {
		if !rule.Default && rule.Location != nil && strings.TrimPrefix(rule.Ref().GroundPrefix().String(), "data.") == own {
			rules = append(rules, rule)
		}
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	var all []string
	for _, rule := range rules {
		if text := fmt.Sprintf("%s (%s:%d)", own, filepath.Join(directory, rule.Location.File), rule.Location.Row); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}
