package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// session runs statements, each of them bounded in time.
type session struct {
	*database
	conn
}

// conn is what statements are run on: a pool or a transaction.
type conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// errText: PostgreSQL can't keep such a text, so neither dialect does.
var errText = errors.New("a text holds NUL or is not UTF-8")

// query reads rows. What nobody could have written is found nowhere.
func (s session) query(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	if !storable(args) {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := s.QueryContext(bounded, query, args...)
	if err != nil {
		return s.fault(ctx, err)
	}
	defer func() { _ = rows.Close() }() // an error of reading is in Err
	for rows.Next() {
		if err := scan(rows); err != nil {
			return s.fault(ctx, err)
		}
	}
	return s.fault(ctx, rows.Err())
}

// one reads at most one row into values, and reports whether there is one.
func (s session) one(ctx context.Context, into []any, query string, args ...any) (bool, error) {
	found := false
	err := s.query(ctx, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(into...)
	}, query, args...)
	return found, err
}

// exec writes, and returns how many rows it did that to.
func (s session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if !storable(args) {
		return 0, errText
	}
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	result, err := s.ExecContext(bounded, query, args...)
	if err != nil {
		return 0, s.fault(ctx, err)
	}
	n, err := result.RowsAffected()
	return n, s.fault(ctx, err)
}

func storable(args []any) bool {
	for _, arg := range args {
		if text, ok := arg.(string); ok && (strings.ContainsRune(text, 0) || !utf8.ValidString(text)) {
			return false
		}
	}
	return true
}

// listing builds the query of a list.
type listing struct {
	text strings.Builder
	args []any
}

func list(selected string) *listing {
	l := &listing{}
	l.text.WriteString(selected)
	l.text.WriteString(" WHERE true")
	return l
}

// where adds a condition; each "?" in it stands for the next of args.
func (l *listing) where(condition string, args ...any) {
	l.text.WriteString(" AND ")
	for _, arg := range args {
		before, after, _ := strings.Cut(condition, "?")
		l.args = append(l.args, arg)
		l.text.WriteString(before + "$" + strconv.Itoa(len(l.args)))
		condition = after
	}
	l.text.WriteString(condition)
}

// beginsWith asks for texts with a prefix, as a range of the column's index.
func (l *listing) beginsWith(column, prefix string) {
	l.where(column+" >= ? AND "+column+" < ?", prefix, prefix+"\U0010FFFF")
}

func (l *listing) page(order string, limit int) {
	l.text.WriteString(" ORDER BY " + order + " LIMIT " + strconv.Itoa(min(max(limit, 1), maxPage)))
}

// maxPage is consumer.Page's greatest limit.
const maxPage = 1000
