package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// batch are whole lines of one file, in a row.
type batch struct {
	file  string
	line  int
	lines []byte
	held  *selections
}

func readFile(ctx context.Context, file string, batches chan<- batch, problem func(Problem)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := cutLines(ctx, file, f, batches, problem); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// cutLines gathers lines, and takes up those that say what the others hold.
func cutLines(ctx context.Context, file string, from io.Reader, batches chan<- batch, problem func(Problem)) error {
	r := lineReader{reader: bufio.NewReaderSize(from, bufferBytes)}
	now := batch{file: file, line: 1, held: &selections{said: map[int]saidSelection{}}}
	hand := func(next int) {
		if len(now.lines) > 0 {
			batches <- now
		}
		now.line, now.lines = next, nil
	}
	defer hand(0)
	for n := 1; ctx.Err() == nil; n++ {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, errLongLine):
			problem(Problem{file, n, "the line is too long"})
			hand(n + 1)
			continue
		case errors.Is(err, io.EOF) && !json.Valid(line):
			problem(Problem{file, n, "the last line is torn: it was being written"})
			return nil
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		if isSelection(line) {
			hand(n + 1)
			if err := now.held.add(n, line); err != nil {
				problem(Problem{file, n, err.Error()})
			}
			continue
		}
		if now.lines == nil {
			now.lines = make([]byte, 0, min(batchBytes, 8*len(line))+len(line)+1)
		}
		now.lines = append(now.lines, line...)
		if err != nil {
			now.lines = append(now.lines, '\n')
		}
		if len(now.lines) >= batchBytes {
			hand(n + 1)
		}
	}
	return nil
}

// errLongLine is for a line that no journal wrote. What follows it can be read.
var errLongLine = errors.New("the line is too long")

// lineReader reads lines with their ends, up to a bound.
type lineReader struct {
	reader *bufio.Reader
	long   []byte
}

// next is valid until it is called again. The last line may lack its end, and
// comes with io.EOF.
func (r *lineReader) next() ([]byte, error) {
	line, err := r.reader.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	r.long = append(r.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.reader.ReadSlice('\n')
		if len(r.long) <= maxLine {
			r.long = append(r.long, line...)
		}
	}
	if len(r.long) > maxLine {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errLongLine
	}
	return r.long, err
}

func (b *batch) read(only []byte, each func(*Record), problem func(Problem)) {
	rest := b.lines
	for n := b.line; len(rest) > 0; n++ {
		end := bytes.IndexByte(rest, '\n')
		line := rest[:end]
		rest = rest[end+1:]
		if len(only) > 0 && !bytes.Contains(line, only) {
			continue
		}
		r, err := b.record(n, line)
		switch {
		case err != nil:
			problem(Problem{b.file, n, err.Error()})
		case r != nil:
			r.File, r.Line = b.file, n
			each(r)
		}
	}
}

// record takes a line apart; nil for a line that says what kind of file it is.
func (b *batch) record(n int, line []byte) (*Record, error) {
	if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
		return nil, errors.New("this is no record: expected a JSON object")
	}
	if deeper(line, maxDepth) {
		return nil, fmt.Errorf("this record is nested deeper than %d", maxDepth)
	}
	r := &Record{}
	number, kind := -1, Raw(nil)
	members(line, func(name, value []byte) {
		switch string(name) {
		case `"postern_journal"`:
			kind = value
		case `"selection"`:
			number = numberOf(value)
		case `"status"`:
			r.Status = numberOf(value)
		default:
			if field := r.field(string(name)); field != nil {
				*field = value
			}
		}
	})
	if kind != nil {
		if string(kind) != strconv.Itoa(version) {
			return nil, errors.New("this journal is of another version")
		}
		return nil, nil
	}
	r.Held = b.held.before(n, number)
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}
