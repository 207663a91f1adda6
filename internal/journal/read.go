package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

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
