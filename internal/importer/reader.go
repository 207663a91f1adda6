package importer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// reader collects a plan, or the problems in the way of it.
type reader struct {
	Options
	plan     *Plan
	problems strictyaml.Errors
	drafts   []*draft
	// named are the consumers by their name there, folded by their name here in
	// lower case.
	named, folded map[string]*draft
	// taken is where names, ids and keys are used already.
	taken   map[string]place
	plans   map[string]*consumer.Plan
	secrets map[objectName]map[string]string
	groups  map[string]*group
	// order is that of the sources by name.
	order map[string]int
	// later are the parts that need what other documents say.
	later []func()
}

func newReader(o Options) *reader {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	if o.Secrets == nil {
		o.Secrets = func(string) (string, bool) { return "", false }
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return &reader{
		Options: o, plan: &Plan{},
		named: map[string]*draft{}, folded: map[string]*draft{}, taken: map[string]place{},
		plans: map[string]*consumer.Plan{}, secrets: map[objectName]map[string]string{}, groups: map[string]*group{},
		order: map[string]int{},
	}
}

// refuse notes a problem, up to a bound that nobody reads to.
func (r *reader) refuse(p strictyaml.Problem) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, p)
	}
}

// finish reads what waited for all documents, and makes the plan of what was
// collected.
func (r *reader) finish() {
	for len(r.later) > 0 {
		waiting := r.later
		r.later = nil
		for _, read := range waiting {
			read()
		}
	}
	for _, d := range r.drafts {
		d.finish()
	}
	r.finishPlans()
	r.sortItems()
}

// sortItems puts the items in the order of the documents, and what is said of a
// whole consumer before what is said of its parts.
func (r *reader) sortItems() {
	slices.SortStableFunc(r.plan.Items, func(a, b Item) int {
		return cmp.Or(r.order[a.File]-r.order[b.File], a.Line-b.Line, depth[a.Kind]-depth[b.Kind])
	})
}

var depth = map[string]int{"credential": 1, "field": 2}

// place is where something stands.
type place struct {
	file string
	line int
}

// take notes that a name, id or key is used, unless it is in use already, and
// then returns where.
func (r *reader) take(key string, at place) (place, bool) {
	if first, ok := r.taken[key]; ok {
		return first, false
	}
	r.taken[key] = at
	return at, true
}

// lower folds a name as stores do.
func lower(name string) string { return strings.ToLower(name) }
