package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Selection is a part of policy's input: what an entry point's rules can read,
// or what was kept of a question. It is read only once it is made.
type Selection struct {
	whole   bool
	members map[string]*Selection
	indexes []int
}

// Whole selects everything.
func Whole() *Selection { return &Selection{whole: true} }

// Selection is what an entry point's rules can read, nil when there is no such
// entry point.
func (s *Snapshot) Selection(entrypoint string) *Selection {
	e := s.entrypoints[entrypoint]
	if e == nil {
		return nil
	}
	return selectionOf(&e.input)
}

func selectionOf(p *part) *Selection {
	if len(p.field.fields) == 0 {
		return selectionOfReads(p.reads)
	}
	s := &Selection{members: map[string]*Selection{}}
	for i := range p.parts {
		s.members[p.parts[i].key.name] = selectionOf(&p.parts[i])
	}
	return s
}

func selectionOfReads(r *reads) *Selection {
	s := &Selection{whole: r.whole, indexes: r.indexes}
	for name, below := range r.parts {
		if s.members == nil {
			s.members = map[string]*Selection{}
		}
		s.members[name] = selectionOfReads(below)
	}
	return s
}

// IsWhole reports that everything below is selected.
func (s *Selection) IsWhole() bool { return s.whole }

// Member is what is selected below a name, nil for nothing.
func (s *Selection) Member(name string) *Selection {
	if s.whole {
		return s
	}
	return s.members[name]
}

// Indexes are the places of a list that are selected alone.
func (s *Selection) Indexes() []int { return s.indexes }

// Path is a place in policy's input. Its parts are names; the last may be a
// place in a list, "[" and its number, or "{", which says that it matters only
// whether something is there. A name that begins with one of these or with a
// backslash has a backslash before it.
type Path []string

// onlyThere ends the path of what is looked at, but not into.
const onlyThere = "{"

// Name is a name as a part of a path.
func Name(name string) string {
	if name != "" && strings.ContainsRune("[{\\", rune(name[0])) {
		return "\\" + name
	}
	return name
}

func nameOf(part string) string { return strings.TrimPrefix(part, "\\") }

// String is the path as an author writes it.
func (p Path) String() string {
	var b strings.Builder
	for i, part := range p {
		switch {
		case part == onlyThere:
		case strings.HasPrefix(part, "["):
			b.WriteString(part + "]")
		case plainName(part):
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(part)
		default:
			b.WriteString("[" + strconv.Quote(nameOf(part)) + "]")
		}
	}
	return b.String()
}

func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// Paths are all that is selected, in order.
func (s *Selection) Paths() []Path {
	all := []Path{}
	s.walk(nil, func(p Path) { all = append(all, slices.Clone(p)) })
	return all
}

func (s *Selection) walk(at Path, each func(Path)) {
	switch {
	case s.whole:
		each(at)
	case len(s.members)+len(s.indexes) == 0:
		each(append(at, onlyThere))
	}
	for _, name := range sorted(s.members) {
		s.members[name].walk(append(at, Name(name)), each)
	}
	for _, i := range s.indexes {
		each(append(at, "["+strconv.Itoa(i)))
	}
}

// NewSelection selects paths and everything below them.
func NewSelection(paths []Path) (*Selection, error) {
	s := &Selection{}
	for _, path := range paths {
		if err := s.add(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Selection) add(path Path) error {
	for i, part := range path {
		last := i == len(path)-1
		text, isIndex := strings.CutPrefix(part, "[")
		switch {
		case part == onlyThere && last:
			return nil
		case isIndex:
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || n >= maxIndex || !last {
				return fmt.Errorf("%q is no place in a list", part)
			}
			s.indexes = append(s.indexes, n)
			slices.Sort(s.indexes)
			s.indexes = slices.Compact(s.indexes)
			return nil
		}
		s = s.named(nameOf(part))
	}
	s.whole = true
	return nil
}

func (s *Selection) named(name string) *Selection {
	if s.members == nil {
		s.members = map[string]*Selection{}
	}
	if s.members[name] == nil {
		s.members[name] = &Selection{}
	}
	return s.members[name]
}

// Reads reports whether what stands at a path, or something below it, is
// selected, or the whole that it is part of.
func (s *Selection) Reads(path Path) bool {
	for _, part := range path {
		if s.whole || len(s.indexes) > 0 {
			return true
		}
		if s = s.members[nameOf(part)]; s == nil {
			return false
		}
	}
	return true
}

// Missing are the paths that are selected and not held.
func (s *Selection) Missing(held *Selection) []Path {
	var all []Path
	s.missing(nil, held, func(p Path) { all = append(all, slices.Clone(p)) })
	return all
}

func (s *Selection) missing(at Path, held *Selection, each func(Path)) {
	switch {
	case held == nil:
		s.walk(at, each)
		return
	case held.whole:
		return
	case s.whole:
		each(at)
		return
	}
	for _, name := range sorted(s.members) {
		s.members[name].missing(append(at, Name(name)), held.members[name], each)
	}
	for _, i := range s.indexes {
		if !slices.Contains(held.indexes, i) {
			each(append(at, "["+strconv.Itoa(i)))
		}
	}
}
