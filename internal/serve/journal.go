package serve

import (
	"fmt"
	"reflect"

	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
)

// openJournal opens the journal of decisions, or keeps last's. It is nil where
// none is configured, and for who only asks.
func (b *builder) openJournal(next, last *built) (*journal.Journal, error) {
	wanted := next.config.Policy.Journal
	if wanted == nil || b.journaled == nil {
		return nil, nil
	}
	if last != nil && last.journal != nil && reflect.DeepEqual(last.config.Policy.Journal, wanted) {
		return last.journal, nil
	}
	j, err := journal.Open(journal.Config(*wanted), journal.Deps{Logger: b.logger, Counts: b.journaled, Now: b.now})
	if err != nil {
		return nil, fmt.Errorf("policy.journal: %w", err)
	}
	return j, nil
}

// journaling notes what a policy decides, where there is a journal.
func (b *builder) journaling(next *built, p gate.Policy) gate.Policy {
	if next.journal == nil {
		return p
	}
	var queries []string
	for _, location := range next.config.Authentication.APIKey.In {
		if location.Query != "" {
			queries = append(queries, location.Query)
		}
	}
	return next.journal.Policy(p, next.policy, credentialHeaders(b.kinds(next)), queries)
}

// observeJournal exports what was written and what was not.
func (s *server) observeJournal(observe func(name, about string, read func() int64) error) error {
	c := s.reloader.builder.journaled
	for _, number := range []struct {
		name, about string
		read        func() int64
	}{
		{"postern.policy.journal.written", "Decisions that are in the journal, since the start.", c.Written.Load},
		{"postern.policy.journal.dropped", "Decisions that are not in the journal because they came faster than it could be written, since the start.", c.Dropped.Load},
		{"postern.policy.journal.failed", "Decisions that are not in the journal because it could not be written, since the start.", c.Failed.Load},
		{"postern.policy.journal.files", "Files of the journal that were begun since the start.", c.Files.Load},
	} {
		if err := observe(number.name, number.about, number.read); err != nil {
			return err
		}
	}
	return nil
}
