package author

import (
	"fmt"
	"strings"
)

const (
	// diffContext is how many lines are shown around a change.
	diffContext = 3
	// maxDiffed bounds the work: what lies between the first and the last change
	// is compared line by line up to so many pairs of lines.
	maxDiffed = 4_000_000
)

// edit is a line that stays (' '), goes ('-') or comes ('+').
type edit struct {
	op   byte
	line string
}

// Diff is the change as `diff -u` shows it; empty when there is none.
func (f *Formatted) Diff() string {
	if !f.Changed() {
		return ""
	}
	edits := editsOf(splitLines(string(f.Before)), splitLines(string(f.After)))
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", f.File, f.File)
	for start := 0; start < len(edits); {
		first := nextChange(edits, start)
		if first == len(edits) {
			break
		}
		from := max(start, first-diffContext)
		to := hunkEnd(edits, first)
		writeHunk(&b, edits, from, to)
		start = to
	}
	return b.String()
}

func splitLines(text string) []string {
	all := strings.SplitAfter(text, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	return all
}

func nextChange(edits []edit, from int) int {
	for from < len(edits) && edits[from].op == ' ' {
		from++
	}
	return from
}

// hunkEnd is where the lines around the changes that begin at first end.
func hunkEnd(edits []edit, first int) int {
	end := first
	for i := first; i < len(edits) && i <= end+2*diffContext; i++ {
		if edits[i].op != ' ' {
			end = i
		}
	}
	return min(end+1+diffContext, len(edits))
}

func writeHunk(b *strings.Builder, edits []edit, from, to int) {
	before, after := 1, 1
	for _, e := range edits[:from] {
		before, after = before+lines(e, '-'), after+lines(e, '+')
	}
	taken, given := 0, 0
	for _, e := range edits[from:to] {
		taken, given = taken+lines(e, '-'), given+lines(e, '+')
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", before, taken, after, given)
	for _, e := range edits[from:to] {
		b.WriteByte(e.op)
		b.WriteString(strings.TrimSuffix(e.line, "\n"))
		b.WriteByte('\n')
	}
}

// lines is 1 when the line counts on that side.
func lines(e edit, side byte) int {
	if e.op == ' ' || e.op == side {
		return 1
	}
	return 0
}

// editsOf finds a shortest list of edits between what the two begin and end
// with alike.
func editsOf(before, after []string) (edits []edit) {
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		edits = append(edits, edit{' ', before[head]})
		head++
	}
	tail := 0
	for tail < len(before)-head && tail < len(after)-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	edits = append(edits, middle(before[head:len(before)-tail], after[head:len(after)-tail])...)
	for _, line := range before[len(before)-tail:] {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

func middle(a, b []string) (edits []edit) {
	if len(a)*len(b) > maxDiffed {
		return replaced(a, b)
	}
	common := make([][]int, len(a)+1) // of what is left from i and j on
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	return append(edits, replaced(a[i:], b[j:])...)
}

func replaced(a, b []string) (edits []edit) {
	for _, line := range a {
		edits = append(edits, edit{'-', line})
	}
	for _, line := range b {
		edits = append(edits, edit{'+', line})
	}
	return edits
}
