package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Unremembered is one reason why an entry point's decisions are made anew for
// each request.
type Unremembered struct {
	// File and Row say where the policy makes it so, as the modules were
	// loaded; File is empty when no place is known.
	File string
	Row  int
	// Text says what is read or called, Hint what to write instead.
	Text, Hint string
}

// String gives `file:row: text; hint`.
func (u Unremembered) String() string {
	text := u.Text
	if u.Hint != "" {
		text += "; " + u.Hint
	}
	if u.File == "" {
		return text
	}
	return fmt.Sprintf("%s:%d: %s", u.File, u.Row, text)
}

// Unremembered lists why an entry point's decisions are not remembered, in
// order of place; nothing when they are, or when it is not compiled.
func (s *Snapshot) Unremembered(entrypoint string) []Unremembered {
	e := s.entrypoints[entrypoint]
	if e == nil {
		return nil
	}
	return slices.Clone(e.causes)
}

// mostJoined bounds what a log line says of one entry point.
const mostJoined = 20

// onOneLine is all of them on one line.
func onOneLine(causes []Unremembered) string {
	var all []string
	for i := range causes[:min(len(causes), mostJoined)] {
		all = append(all, causes[i].String())
	}
	if more := len(causes) - mostJoined; more > 0 {
		all = append(all, fmt.Sprintf("and %d more, which policy lint tells", more))
	}
	return strings.Join(all, " | ")
}

// causesOf lists what keeps decisions from being a function of steady things:
// every place once, in the order of files and lines, whichever way the rules
// were walked.
func causesOf(s *survey, input *part) []Unremembered {
	var causes []Unremembered
	for _, call := range s.unsteady {
		causes = append(causes, caused(call.at, "it calls "+call.name+", which may answer differently each time", insteadOfCalling(call.name)))
	}
	if len(input.varies("input", nil)) > 0 {
		for _, place := range s.places {
			causes = append(causes, place.causes(input.field)...)
		}
	}
	slices.SortFunc(causes, Unremembered.compare)
	return slices.Compact(causes)
}

func (u Unremembered) compare(v Unremembered) int {
	return cmp.Or(strings.Compare(u.File, v.File), u.Row-v.Row, strings.Compare(u.Text, v.Text))
}

// causes are what this place alone reads that differs with nearly every request.
func (p placed) causes(input *field) []Unremembered {
	var alone reads
	if p.touched {
		alone.touch(p.path, p.at)
	} else {
		alone.read(p.path, p.at)
	}
	if alone.whole {
		return []Unremembered{caused(p.at, "it reads all of input, and parts of that differ with nearly every request",
			"read what it needs of input by constant names, also where it is given to a function")}
	}
	alone.settle()
	selected := selectParts(input, &alone)
	return selected.varies("input", nil)
}

func caused(at *ast.Location, text, hint string) Unremembered {
	u := Unremembered{Text: text, Hint: hint}
	if at != nil {
		u.File, u.Row = at.File, at.Row
	}
	return u
}

// varies lists what is read that differs with nearly every request: a place
// that takes in several at once is told once. It is for people: at is where the
// part stands, above what it is read by.
func (p *part) varies(at string, above *part) []Unremembered {
	if p.field.varies || p.field.allVaries && p.reads.whole {
		return []Unremembered{p.caused(at, above)}
	}
	var causes []Unremembered
	for i := range p.parts {
		below := &p.parts[i]
		causes = append(causes, below.varies(at+"."+below.key.name, p)...)
		if p.reads.whole && len(causes) > 0 {
			return causes[:1]
		}
	}
	return causes
}

func (p *part) caused(at string, above *part) Unremembered {
	switch {
	case p.field.allVaries:
		return caused(p.reads.at, "it reads the whole of "+at+", which differs with nearly every request", insteadOfReading(at))
	case above != nil && above.reads == p.reads:
		holder := strings.TrimSuffix(at, "."+p.key.name)
		return caused(p.reads.at, "it reads "+at+", with all of what holds it, and that differs with nearly every request",
			"read what it needs of "+holder+" by constant names, also where it is given to a function")
	}
	return caused(p.reads.at, "it reads "+at+", which differs with nearly every request", insteadOfReading(at))
}

const insteadOfTime = "let the end of the credential's life (expires_at) decide on time, or keep such rules to an entry point of their own, for the routes that need it"

// insteadOfCalling says what to write in place of a builtin.
func insteadOfCalling(name string) string {
	switch {
	case name == "time.now_ns":
		return insteadOfTime
	case strings.HasPrefix(name, "io.jwt."):
		return "read input.identity.claims: the token was proven before policy is asked"
	case strings.HasPrefix(name, "crypto.x509."):
		return "read input.source_principal: the gateway has checked the certificate"
	case name == "http.send", name == "net.lookup_ip_addr":
		return "bring what it asks for as data, which is reloaded when it changes"
	}
	return "keep such rules to an entry point of their own"
}

// insteadOfReading says what to write in place of a part of the input.
func insteadOfReading(path string) string {
	switch {
	case strings.HasSuffix(path, ".headers"):
		return "read each header by its constant name, such as " + path + `["x-tenant"]`
	case strings.HasSuffix(path, ".portValue"):
		return "read the address beside it alone"
	case strings.HasSuffix(path, ".time"):
		return insteadOfTime
	case strings.HasSuffix(strings.ToLower(path), "body"):
		return "keep such rules to an entry point of their own, for the routes that need it"
	}
	return "do without, or keep such rules to an entry point of their own"
}
