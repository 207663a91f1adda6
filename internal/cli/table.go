package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// body is a part of an answer for people.
type body interface{ writeTo(w io.Writer) error }

// sentence is a line of text.
type sentence string

func (s sentence) writeTo(w io.Writer) error {
	_, err := fmt.Fprintln(w, printable(string(s)))
	return err
}

// table has a head of names in upper case, and rows as wide as it.
type table struct {
	head []string
	rows [][]string
}

func (t *table) writeTo(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
			if cell == "" {
				cells[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(columns, strings.Join(cells, "\t")) // Flush tells
	}
	return columns.Flush()
}

// record is one thing, a line for each of its fields that has a value.
type record [][2]string

func (r *record) add(name, value string) {
	if value != "" {
		*r = append(*r, [2]string{name, value})
	}
}

func (r record) writeTo(w io.Writer) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, field := range r {
		_, _ = fmt.Fprintf(lines, "%s:\t%s\n", field[0], printable(field[1])) // Flush tells
	}
	return lines.Flush()
}

// moment is a time in UTC to the second; empty for none.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

func join(list []string) string { return strings.Join(list, ", ") }

// pairs writes a map by its keys.
func pairs(m map[string]string) string {
	list := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, key+"="+m[key])
	}
	return join(list)
}
