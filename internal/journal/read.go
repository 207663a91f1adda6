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
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// Raw is a JSON value as it stands in a journal; empty where there is none.
type Raw []byte

// String is the text of a JSON string.
func (r Raw) String() string { return unquoted(r) }

// Record is a decision as it was noted.
type Record struct {
	File string
	Line int

	ID, Entrypoint, Revision, Route, Consumer Raw
	// Outcome is one of Allowed, Denied and Error; Failure is what went wrong.
	Outcome, Failure Raw
	// Answer is the keyed digest of what was answered beside yes or no.
	Answer Raw
	Status int
	At     Raw
	// Input is what is held of policy's input, empty where it could not be read.
	Input Raw
	// Held is what the input was made from; of that, Redacted, Hashed and Omitted
	// are not as policy saw them.
	Held                      *policy.Selection
	Redacted, Hashed, Omitted Raw
}

// Time is when the request was read; zero where it can't be told.
func (r *Record) Time() time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.At.String())
	if err != nil {
		return time.Time{}
	}
	return at
}

// Altered is a part of the input that a record does not hold as policy saw it.
type Altered struct {
	Path policy.Path
	// How is redacted, hashed or omitted.
	How string
}

// Altered are all of a record.
func (r *Record) Altered() ([]Altered, error) {
	var all []Altered
	for _, list := range []struct {
		how string
		raw Raw
	}{{"redacted", r.Redacted}, {"hashed", r.Hashed}, {"omitted", r.Omitted}} {
		if len(list.raw) == 0 {
			continue
		}
		var paths []policy.Path
		if err := json.Unmarshal(list.raw, &paths); err != nil {
			return nil, fmt.Errorf("%s: expected a list of paths", list.how)
		}
		for _, path := range paths {
			all = append(all, Altered{path, list.how})
		}
	}
	return all, nil
}

// Problem is a line that can't be read. The others are.
type Problem struct {
	File string
	Line int
	Text string
}

// String names the place first.
func (p *Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text) }

// The bounds of reading.
const (
	maxLine     = 4 << 20
	batchBytes  = 256 << 10
	bufferBytes = 64 << 10
	// maxDepth is how deep a record may be nested, as data and what is around it.
	maxDepth = 132
	// maxSelections is how often one file may say what records hold, and
	// maxSelectionBytes how much of it that may be. Writers begin another file.
	maxSelections     = 1000
	maxSelectionBytes = 16 << 20
)

// Reading says how journals are read.
type Reading struct {
	// Workers is how many records are looked at at once, each by its worker.
	Workers int
	// Only are bytes that a line must have to be looked at; empty: any.
	Only []byte
	// Each takes records in no order. What it is given is its own.
	Each func(worker int, r *Record)
	// Problem takes lines that can't be read, one at a time.
	Problem func(Problem)
}

// Paths are the files of journals: a file itself, or all of a directory. Each is
// there once, however often it is named.
func Paths(paths []string) ([]string, error) {
	var all []string
	met := map[string]bool{}
	for _, path := range paths {
		files, err := filesAt(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			one, err := filepath.EvalSymlinks(file)
			if err == nil {
				one, err = filepath.Abs(one)
			}
			if err != nil {
				return nil, err
			}
			if !met[one] {
				met[one] = true
				all = append(all, file)
			}
		}
	}
	return all, nil
}

func filesAt(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := Files(path)
	if err == nil && len(files) == 0 {
		return nil, fmt.Errorf("%s: there is no file of a journal (%s*%s) in it", path, prefix, suffix)
	}
	return files, err
}

// Key is what fields and answers of the journals are hashed with, nil where it
// is not beside them or they have several.
func Key(files []string) []byte {
	var key []byte
	for _, file := range files {
		one, err := readKey(filepath.Join(filepath.Dir(file), keyFile))
		if err != nil || key != nil && !bytes.Equal(one, key) {
			return nil
		}
		key = one
	}
	return key
}

// batch are whole lines of one file, in a row.
type batch struct {
	file  string
	line  int
	lines []byte
	held  *selections
}

// selections are what one file has said so far. A number is said once.
type selections struct {
	mu    sync.RWMutex
	said  map[int]saidSelection
	bytes int
}

// saidSelection is a selection and the line that says it.
type saidSelection struct {
	line     int
	selected *policy.Selection
}

// before is what was said of a number above a line, nil for nothing.
func (s *selections) before(line, number int) *policy.Selection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if one := s.said[number]; one.line < line {
		return one.selected
	}
	return nil
}

// add takes up a line.
func (s *selections) add(n int, line []byte) error {
	if s.bytes += len(line); len(s.said) >= maxSelections || s.bytes > maxSelectionBytes {
		return errors.New("this file says too often what records hold")
	}
	var one selection
	if err := json.Unmarshal(line, &one); err != nil {
		return errors.New("expected a line that says what records hold")
	}
	if s.said[one.Number].selected != nil {
		return fmt.Errorf("what selection %d holds was said before", one.Number)
	}
	selected := policy.Whole()
	if !one.Whole {
		var err error
		if selected, err = policy.NewSelection(one.Paths); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[one.Number] = saidSelection{n, selected}
	return nil
}

// Read goes through files. Its error is of a file that can't be read at all, or
// ctx's.
func Read(ctx context.Context, files []string, o Reading) error {
	batches := make(chan batch, 2*o.Workers)
	var telling sync.Mutex
	problem := func(p Problem) {
		telling.Lock()
		defer telling.Unlock()
		o.Problem(p)
	}
	var workers sync.WaitGroup
	for worker := range o.Workers {
		workers.Go(func() {
			for b := range batches {
				if ctx.Err() == nil {
					b.read(o.Only, func(r *Record) { o.Each(worker, r) }, problem)
				}
			}
		})
	}
	var err error
	for _, file := range files {
		if err = readFile(ctx, file, batches, problem); err != nil {
			break
		}
	}
	close(batches)
	workers.Wait()
	return errors.Join(err, ctx.Err())
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

// isSelection tells lines that say what records hold from records, by how they
// begin.
func isSelection(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte(`{"selection":`))
	if !found {
		return false
	}
	rest = bytes.TrimLeft(rest, "0123456789")
	return bytes.HasPrefix(rest, []byte(`,"whole"`)) || bytes.HasPrefix(rest, []byte(`,"holds"`))
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

func (r *Record) field(name string) *Raw {
	switch name {
	case `"id"`:
		return &r.ID
	case `"time"`:
		return &r.At
	case `"entrypoint"`:
		return &r.Entrypoint
	case `"revision"`:
		return &r.Revision
	case `"route"`:
		return &r.Route
	case `"consumer"`:
		return &r.Consumer
	case `"outcome"`:
		return &r.Outcome
	case `"error"`:
		return &r.Failure
	case `"answer"`:
		return &r.Answer
	case `"input"`:
		return &r.Input
	case `"redacted"`:
		return &r.Redacted
	case `"hashed"`:
		return &r.Hashed
	case `"omitted"`:
		return &r.Omitted
	}
	return nil
}

// check refuses what a journal can't have written.
func (r *Record) check() error {
	for _, text := range []Raw{r.ID, r.At, r.Entrypoint, r.Outcome} {
		if len(text) < 3 || text[0] != '"' {
			return errors.New("this is no record: expected id, time, entrypoint and outcome")
		}
	}
	for _, text := range []Raw{r.Revision, r.Route, r.Consumer, r.Failure, r.Answer} {
		if len(text) > 0 && text[0] != '"' {
			return errors.New("this is no record: expected texts")
		}
	}
	switch string(r.Outcome) {
	case `"` + Allowed + `"`, `"` + Denied + `"`, `"` + Error + `"`:
	default:
		return errors.New("this is no record: expected the outcome allowed, denied or error")
	}
	if r.Held == nil {
		return errors.New("what this record holds is not said before it")
	}
	if len(r.Input) > 0 && r.Input[0] != '{' {
		return errors.New("this is no record: expected an object as input")
	}
	return nil
}

func numberOf(value []byte) int {
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return -1
	}
	return n
}
