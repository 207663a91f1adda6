package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/postern-authz/postern/internal/consumer"
)

// fillRows is how many rows of a table Fill writes with one statement.
const fillRows = 400

// Filled is a consumer with its credentials.
type Filled struct {
	Consumer    *consumer.Record
	Credentials []*consumer.CredentialRecord
}

// Fill writes many consumers with their credentials, as Change does with
// InsertConsumer and InsertCredential, but thousands of rows at once. It is one
// change that touches everyone; nothing is noted for the audit. A name, id or
// reference that there is already is consumer.ErrExists, and then nothing is
// written; references are compared under the newest pepper alone.
//
// Nobody else can write meanwhile, however long it takes: it is for a store that
// does not serve yet.
func (s *Store) Fill(ctx context.Context, records iter.Seq2[Filled, error]) error {
	live, err := s.open()
	if err != nil {
		return err
	}
	tx, err := live.begin(ctx, live.write, nil)
	if err != nil {
		return live.fault(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it says that all is done
	w := &writer{reader: live.reader(tx), keep: s.options.KeepChanges}
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.fillAll(ctx, records); err != nil {
		return err
	}
	w.touch("") // everyone
	if err := w.finish(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return live.fault(ctx, err)
	}
	s.bell.ring()
	return nil
}

func (w *writer) fillAll(ctx context.Context, records iter.Seq2[Filled, error]) error {
	var p pending
	for record, err := range records {
		if err != nil {
			return err
		}
		if err := p.add(w, record); err != nil {
			return err
		}
		if max(len(p.consumers), len(p.labels), len(p.credentials)) < fillRows {
			continue
		}
		if err := p.write(ctx, w); err != nil {
			return err
		}
	}
	return p.write(ctx, w)
}

// write writes what is pending, owners first.
func (p *pending) write(ctx context.Context, w *writer) error {
	err := fillTable(ctx, w, "consumers", consumerRowColumns, p.consumers)
	if err == nil {
		err = fillTable(ctx, w, "consumer_labels", labelRowColumns, p.labels)
	}
	if err == nil {
		err = fillTable(ctx, w, "credentials", credentialRowColumns, p.credentials)
	}
	p.consumers, p.labels, p.credentials = p.consumers[:0], p.labels[:0], p.credentials[:0]
	return err
}

func fillTable[R any](ctx context.Context, w *writer, table, columns string, rows []R) error {
	if len(rows) == 0 {
		return nil
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write rows as JSON: %w", err)
	}
	n, err := w.exec(ctx, w.fill(table, columns), string(text))
	if err == nil && n < int64(len(rows)) {
		return fmt.Errorf("%d of %d rows for %s: %w", int64(len(rows))-n, len(rows), table, consumer.ErrExists)
	}
	return err
}

// fillPostgres reads each object as a row of the table.
func fillPostgres(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") SELECT " + columns +
		" FROM json_populate_recordset(NULL::" + table + ", $1::json) ON CONFLICT DO NOTHING"
}

// fillSQLite takes the columns out of each object, bytes from their hexadecimal
// digits. Its parser needs the WHERE before ON CONFLICT.
func fillSQLite(table, columns string) string {
	var values []string
	for column := range strings.SplitSeq(columns, ", ") {
		value := "value->>'" + column + "'"
		if column == "lookup" || column == "sealed" {
			value = "unhex(substr(" + value + ", 3))"
		}
		values = append(values, value)
	}
	return "INSERT INTO " + table + " (" + columns + ") SELECT " + strings.Join(values, ", ") +
		" FROM json_each($1) WHERE true ON CONFLICT DO NOTHING"
}
