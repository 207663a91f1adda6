package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// fillAtOnce is how many keys are written in one transaction. Digests come in no
// order, so that each transaction touches most pages of their index: few large
// ones write it few times.
const fillAtOnce = 500_000

// fill writes the keys that are missing: a run that was broken off is gone on
// with.
func (s store) fill(ctx context.Context, progress io.Writer) (err error) {
	opened, err := open(ctx, s.driver, s.fillDSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	for first := 0; first < s.keys; first += fillAtOnce {
		n := min(fillAtOnce, s.keys-first)
		there, err := has(ctx, opened, first+n-1)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		begin := time.Now()
		if err := opened.Fill(ctx, records(first, n)); err != nil {
			return fmt.Errorf("writing keys from number %d: %w", first, err)
		}
		fmt.Fprintf(progress, "%s: %d of %d keys, the last %d in %.1f s\n", s.driver, first+n, s.keys, n, time.Since(begin).Seconds())
	}
	return nil
}

// has reports whether the key of that number is there.
func has(ctx context.Context, s *sqlstore.Store, i int) (bool, error) {
	err := s.View(ctx, func(r consumer.Reader) error {
		_, err := r.Consumer(ctx, consumerName(i))
		return err
	})
	if errors.Is(err, consumer.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
