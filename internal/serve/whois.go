package serve

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Consumer is the record of a consumer, in the files or else in the store. The
// error names one that is in neither.
func (r *OpenRules) Consumer(ctx context.Context, name string) (*access.Consumer, error) {
	found, err := r.built.consumers.Find(ctx, consumer.NameReference(name))
	if err == nil {
		return found.Consumer, nil
	}
	if !errors.Is(err, consumer.ErrNotFound) {
		return nil, err
	}
	if r.store == nil {
		return nil, fmt.Errorf("there is no consumer %s in the files that the configuration names", name)
	}
	var stored *access.Consumer
	err = r.store.store.View(ctx, func(reader consumer.Reader) error {
		record, err := reader.Consumer(ctx, name)
		if err == nil {
			stored = &record.Consumer
			stored.Stored = true
		}
		return err
	})
	if errors.Is(err, consumer.ErrNotFound) {
		return nil, fmt.Errorf("there is no consumer %s in the configuration's files or store", name)
	}
	return stored, err
}
