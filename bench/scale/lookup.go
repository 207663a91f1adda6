package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// pageSize is SQLite's.
const pageSize = 4096

// lookUp is what one look-up costs, without anything around it.
type lookUp struct {
	// cpu is this process's time in seconds, which is the database's too for
	// SQLite. pages are those that it read: from the file for SQLite, from
	// anywhere for PostgreSQL.
	cpu, pages float64
	// plan is the database's word on it.
	plan string
}

// lookUps measures look-ups of both stores, in this process.
func (b *bench) lookUps(ctx context.Context, r *report) (err error) {
	fmt.Fprintln(b.progress, "look-ups alone")
	if r.few.lookUp, err = b.stores.few.lookUp(ctx, b.each); err != nil {
		return err
	}
	r.many.lookUp, err = b.stores.many.lookUp(ctx, b.each)
	return err
}

func (s store) lookUp(ctx context.Context, n int) (l lookUp, err error) {
	opened, err := open(ctx, s.driver, s.dsn)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	// Numbers that no check asked for, so that nothing of theirs is at hand.
	refs, err := references(n, func(i int) int { return scattered(s.keys/2+i, s.keys) })
	if err != nil {
		return l, err
	}
	if err := find(ctx, opened, refs[:n/10]); err != nil { // opens what is opened once
		return l, err
	}
	before, err := spentHere()
	if err != nil {
		return l, err
	}
	if err := find(ctx, opened, refs); err != nil {
		return l, err
	}
	after, err := spentHere()
	if err != nil {
		return l, err
	}
	l.cpu, l.pages = (after.cpu-before.cpu)/float64(n), (after.read-before.read)/pageSize/float64(n)
	if l.plan, err = opened.Explain(ctx, refs[0]); err == nil && s.driver == sqlstore.Postgres {
		l.pages, err = buffers(ctx, opened, refs[:n/10])
	}
	return l, err
}

func references(n int, number func(i int) int) ([]consumer.Reference, error) {
	refs := make([]consumer.Reference, n)
	for i := range refs {
		key, err := keyOf(number(i))
		if err != nil {
			return nil, err
		}
		refs[i] = reference(key)
	}
	return refs, nil
}

// find looks each up. As with checks, few may be late.
func find(ctx context.Context, s *sqlstore.Store, refs []consumer.Reference) error {
	late := 0
	for _, ref := range refs {
		_, err := s.Find(ctx, ref)
		if errors.Is(err, consumer.ErrUnavailable) {
			late++
		} else if err != nil {
			return err
		}
	}
	if late > len(refs)/100 {
		return fmt.Errorf("%d of %d look-ups had no answer of the store in time", late, len(refs))
	}
	return nil
}

// here is what this process has spent: CPU seconds, and bytes that it read by
// system calls, whether or not a disk had to turn.
type here struct{ cpu, read float64 }

func spentHere() (h here, err error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return h, err
	}
	h.cpu = (time.Duration(usage.Utime.Nano()) + time.Duration(usage.Stime.Nano())).Seconds()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return h, err
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(text), "rchar: "), "\n")
	h.read, err = strconv.ParseFloat(line, 64)
	return h, err
}

// buffers counts the pages that PostgreSQL looks at for one look-up.
func buffers(ctx context.Context, s *sqlstore.Store, refs []consumer.Reference) (float64, error) {
	total := 0
	for _, ref := range refs {
		plan, err := s.Explain(ctx, ref)
		if err != nil {
			return 0, err
		}
		n, err := buffersOf(plan)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return float64(total) / float64(len(refs)), nil
}

// buffersOf sums up the first line of buffers, which counts for the whole plan.
func buffersOf(plan string) (int, error) {
	_, rest, found := strings.Cut(plan, "Buffers: shared ")
	if !found {
		return 0, fmt.Errorf("no buffers in the plan\n%s", plan)
	}
	line, _, _ := strings.Cut(rest, "\n")
	total := 0
	for _, n := range regexp.MustCompile(`(?:hit|read)=(\d+)`).FindAllStringSubmatch(line, -1) {
		count, err := strconv.Atoi(n[1])
		if err != nil {
			return 0, err
		}
		total += count
	}
	return total, nil
}
