package keyring

import (
	"context"
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
)

// errNothing takes back what a change wrote: it was a trial, or an item failed.
var errNothing = errors.New("nothing is to be written")

// Apply makes the records what it is told, in one change: it creates what there
// is not, updates what differs, leaves alone what is equal, and takes nothing
// away. If any item fails, nothing is written and the Outcome says what failed;
// the error is a fault. With dryRun nothing is written at all.
func (k *Keyring) Apply(ctx context.Context, by consumer.Author, imports []Import, dryRun bool) (*Outcome, error) {
	prepared, err := k.prepareAll(ctx, imports)
	if err != nil {
		return nil, err
	}
	var outcome *Outcome
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		a := &applying{Keyring: k, w: w, seen: map[string]bool{}, plans: map[string]*consumer.Plan{}}
		for i := range prepared {
			if err := a.consumer(ctx, &prepared[i]); err != nil {
				return nil, err
			}
		}
		outcome = &Outcome{Items: a.items}
		if dryRun || outcome.Failed() {
			return nil, errNothing
		}
		return outcome, nil
	})
	switch {
	case errors.Is(err, errNothing):
		return outcome, nil
	case err != nil:
		return nil, err
	}
	if outcome.changed() {
		outcome.Sequence = upto
	}
	return outcome, nil
}

func (o *Outcome) changed() bool {
	for _, item := range o.Items {
		if item.Result != Unchanged && item.Result != Skipped {
			return true
		}
	}
	return false
}

// applying is one run of an Apply within a change.
type applying struct {
	*Keyring
	w     consumer.Writer
	items []Item
	// seen are the names, ids and references that were told already.
	seen map[string]bool
	// plans are those that were told already.
	plans map[string]*consumer.Plan
}

// tell adds what became of an item. What is an answer to the item is no error.
func (a *applying) tell(item Item, result Result, err error) error {
	if item.Result = result; result == Skipped {
		item.Text = "it was revoked here, and stays so"
	}
	var bad *Invalid
	switch {
	case err == nil:
	case errors.As(err, &bad):
		item.Result, item.Problems = Refused, bad.Problems
	case errors.Is(err, ErrDeclared), errors.Is(err, ErrState), errors.Is(err, ErrTooMany), errors.Is(err, consumer.ErrExists):
		item.Result, item.Text = Conflict, err.Error()
	default:
		return err
	}
	a.items = append(a.items, item)
	return nil
}

// consumer applies one consumer, and its credentials if there is one then.
func (a *applying) consumer(ctx context.Context, p *preparedImport) error {
	if err := a.plan(ctx, p.Plan); err != nil {
		return err
	}
	item := Item{Kind: "consumer", Consumer: p.Consumer.Name}
	owner, result, err := a.applyConsumer(ctx, p)
	if err := a.tell(item, result, err); err != nil {
		return err
	}
	for i := range p.credentials {
		if err := a.credential(ctx, owner, &p.credentials[i]); err != nil {
			return err
		}
	}
	return nil
}

// applyConsumer returns the consumer as it is then; nil if that failed.
func (a *applying) applyConsumer(ctx context.Context, p *preparedImport) (*consumer.Record, Result, error) {
	name := p.Consumer.Name
	if err := a.once("consumer", name); err != nil {
		return nil, "", err
	}
	if err := a.changeable(name); err != nil {
		return nil, "", err
	}
	was, err := a.w.Consumer(ctx, name)
	switch exists, err := is(err); {
	case err != nil:
		return nil, "", err
	case !exists:
		made := &consumer.Record{}
		if err := a.fill(ctx, a.w, made, &p.Consumer); err != nil {
			return nil, "", err
		}
		return made, Created, insertConsumer(ctx, a.w, made, "import")
	case was.Grant != "":
		return nil, "", conflict("consumer", was.Name, "belongs to the grant %s", was.Grant)
	}
	declared := p.Consumer
	if declared.Enabled == nil { // other gateways' documents don't know the word
		declared.Enabled = &was.Enabled
	}
	now, err := a.rewriteConsumer(ctx, a.w, was, &declared, "import")
	if err != nil {
		return nil, "", err
	}
	if now == was {
		return was, Unchanged, nil
	}
	return now, Updated, nil
}

// once refuses what was told already: two words about one thing can't both
// hold.
func (a *applying) once(kind, name string) error {
	return a.first(kind, name, strings.ToLower(name))
}

// first is once for a thing that something else than its name tells apart.
func (a *applying) first(kind, name, identity string) error {
	key := kind + "\x00" + identity
	if a.seen[key] {
		return conflict(kind, name, "stands in the import already")
	}
	a.seen[key] = true
	return nil
}
