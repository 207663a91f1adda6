package serve

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/importer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// documents lets the admin API import and export what the importer knows.
type documents struct{ ledger consumer.Ledger }

// Import implements admin.Importer. A document that comes over the network
// refers to nothing here: neither to the environment nor to files.
func (d documents) Import(ctx context.Context, into *keyring.Keyring, by consumer.Author, r *adminv1.ImportRequest) (*adminv1.ImportResponse, error) {
	format := importer.Format(r.GetFormat())
	if format == "" {
		format = importer.Auto
	}
	plan, err := importer.Read(format, []importer.Source{{Name: "document", Data: []byte(r.GetDocument())}}, importer.Options{Now: time.Now()})
	if err != nil {
		return nil, err
	}
	outcome, err := into.Apply(ctx, by, plan.Consumers, r.GetDryRun())
	if err != nil {
		return nil, err
	}
	applied := !r.GetDryRun() && !outcome.Failed()
	return &adminv1.ImportResponse{
		Format: string(plan.Format), Applied: &applied, Sequence: int64(outcome.Sequence), Entries: entries(plan, outcome),
	}, nil
}

// Export implements admin.Importer.
func (d documents) Export(ctx context.Context, _ *keyring.Keyring) (*adminv1.ExportResponse, error) {
	var text bytes.Buffer
	err := d.ledger.View(ctx, func(r consumer.Reader) error { return importer.Export(ctx, r, &text) })
	return &adminv1.ExportResponse{Document: text.String()}, err
}

// entries tell of everything in the document, with what became of it here.
func entries(plan *importer.Plan, outcome *keyring.Outcome) []*adminv1.ImportEntry {
	became := map[string]keyring.Item{}
	for _, item := range outcome.Items {
		became[nameOf(item.Kind, item.Consumer, item.ID)] = item
	}
	var list []*adminv1.ImportEntry
	for _, item := range plan.Items {
		e := &adminv1.ImportEntry{Kind: item.Kind, Name: item.Name, Source: fmt.Sprintf("%s:%d", item.File, item.Line), Action: "skip"}
		if item.Text != "" {
			e.Notes = append(e.Notes, item.Text)
		}
		key := nameOf(item.Kind, item.Name, "")
		switch item.Kind {
		case "credential":
			key = nameOf(item.Kind, item.Consumer, item.Name)
		case "plan":
			key = nameOf(item.Kind, "", item.Name)
		}
		if now, ok := became[key]; ok && item.Outcome != importer.Cannot {
			e.Action = actions[now.Result]
			e.Notes = append(e.Notes, problemsOf(now)...)
		}
		list = append(list, e)
	}
	return list
}

// actions are what an outcome is called in an answer.
var actions = map[keyring.Result]string{
	keyring.Created: "create", keyring.Updated: "update", keyring.Unchanged: "unchanged", keyring.Skipped: "skip",
	keyring.Conflict: "refuse", keyring.Refused: "refuse",
}

func nameOf(kind, consumer, id string) string {
	return strings.ToLower(kind + "\x00" + consumer + "\x00" + id)
}

// problemsOf says why an item is in the way of all.
func problemsOf(item keyring.Item) []string {
	var notes []string
	if item.Text != "" {
		notes = append(notes, item.Text)
	}
	for _, p := range item.Problems {
		notes = append(notes, strings.TrimPrefix(p.Field+": "+p.Text, ": "))
	}
	return notes
}
