package importer

import (
	"fmt"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
)

// Outcome is what becomes of one thing in a document.
type Outcome string

// The outcomes.
const (
	// Comes: it is the same here as there.
	Comes Outcome = "comes"
	// Changes: it comes over, and the item says what is not as it was.
	Changes Outcome = "changes"
	// Cannot: it does not come over, and the item says why.
	Cannot Outcome = "cannot"
)

// Plan is what an import will do. It holds secrets.
type Plan struct {
	// Format is that of the documents, or Auto where they have several.
	Format    Format
	Consumers []keyring.Import
	// Plans are those that its consumers are on, by name.
	Plans []consumer.Plan
	// Items tell of everything in the documents, in their order.
	Items []Item
}

// Item tells what becomes of one thing. It holds no secret.
type Item struct {
	Outcome Outcome `json:"outcome"`
	// Kind is "consumer", "credential", "plan", "field" or "object".
	Kind string `json:"kind"`
	// Name is the consumer's, plan's or object's name, or the credential's id.
	Name string `json:"name"`
	// Consumer is the owner, by its name here.
	Consumer string `json:"consumer,omitempty"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	// Text says what changes, or why it can't come.
	Text string `json:"text,omitempty"`
}

// Refused is how many consumers and credentials can't come over.
func (p *Plan) Refused() int {
	n := 0
	for _, item := range p.Items {
		if item.Outcome == Cannot && (item.Kind == "credential" || item.Kind == "consumer") {
			n++
		}
	}
	return n
}

func (r *reader) note(outcome Outcome, kind, name, owner string, at place, format string, args ...any) {
	r.plan.Items = append(r.plan.Items, Item{
		Outcome: outcome, Kind: kind, Name: name, Consumer: owner,
		File: at.file, Line: at.line, Text: fmt.Sprintf(format, args...),
	})
}
