package journal

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// Config says what is kept, and where.
type Config struct {
	// Directory is absolute. It is made for its owner alone.
	Directory string
	// MaxFileSize is the size in bytes at which the next file is begun, MaxFiles
	// how many there may be.
	MaxFileSize int64
	MaxFiles    int
	// Sample is the part of decisions that is kept, from 0 to 1.
	Sample float64
	// Whole keeps all that policy could see but bodies; else what its rules can
	// read.
	Whole bool
	// Hash and Omit are fields of the input.
	Hash, Omit [][]string
}

// Counts are of one process, whatever was reloaded.
type Counts struct {
	// Written are records on disk. Dropped came faster than they could be
	// written, Failed could not be: the disk was full, or the record too large.
	Written, Dropped, Failed atomic.Int64
	// Files is how many were begun.
	Files atomic.Int64
}

// Deps are what a journal needs of its process.
type Deps struct {
	Logger *slog.Logger
	Counts *Counts
	Now    func() time.Time
}

// The bounds of what waits to be written, in number and bytes. A question is kept
// with its request until then.
const (
	queueLength  = 8192
	maxWaiting   = 32 << 20
	maxRecord    = 1 << 20
	flushAt      = 128 << 10
	closeTimeout = 5 * time.Second
	tellEvery    = 30 * time.Second
)

// Journal writes decisions from one goroutine, which ends with Close.
type Journal struct {
	config  Config
	deps    Deps
	key     []byte
	rules   *rule
	queue   chan *note
	waiting atomic.Int64
	closed  atomic.Bool
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
}

// note is a decision that waits to be written.
type note struct {
	source   *source
	question *gate.Question
	decision access.Decision
	err      error
	weight   int64
}

// source is where notes of one revision come from.
type source struct {
	inputs *policy.Inputs
	names  *names
}

// Open makes the directory and begins to write with the first note.
func Open(c Config, deps Deps) (*Journal, error) {
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(c.Directory); err == nil && info.Mode().Perm()&0o077 != 0 {
		deps.Logger.Warn("the journal's directory is open to others than its owner; its files are not", "directory", c.Directory)
	}
	key, err := openKey(filepath.Join(c.Directory, keyFile))
	if err != nil {
		return nil, err
	}
	if err := writable(c.Directory); err != nil {
		return nil, err
	}
	j := &Journal{
		config: c, deps: deps, key: key, rules: rulesOf(c.Hash, c.Omit),
		queue: make(chan *note, queueLength), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go j.run()
	return j, nil
}

func writable(directory string) error {
	f, err := os.CreateTemp(directory, ".writable-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Close writes what waits, and ends. It takes 5 s at most, as on a disk that does
// not answer; what waits then is dropped and counted. A nil Journal is closed.
func (j *Journal) Close() {
	if j == nil {
		return
	}
	j.once.Do(func() {
		j.closed.Store(true)
		close(j.closing)
	})
	select {
	case <-j.done:
		j.lose()
	case <-time.After(closeTimeout):
		j.deps.Logger.Error("the journal's last records could not be written in time and are lost", "directory", j.config.Directory, "lost", j.lose())
	}
}

// Policy notes what inner decides with the inputs of a snapshot. The headers and
// parameters of the query that may hold credentials by configuration are named.
func (j *Journal) Policy(inner gate.Policy, snapshot *policy.Snapshot, headers, queries []string) gate.Policy {
	return &noted{inner, j, &source{snapshot.Inputs(), namesOf(headers, queries)}}
}

// noted decorates the gate's policy.
type noted struct {
	inner   gate.Policy
	journal *Journal
	source  *source
}

// Decide implements gate.Policy.
func (n *noted) Decide(ctx context.Context, q *gate.Question) (access.Decision, error) {
	d, err := n.inner.Decide(ctx, q)
	if n.journal.samples(q) {
		n.journal.take(&note{source: n.source, question: q, decision: d, err: err, weight: weightOf(q)})
	}
	return d, err
}

// weightOf is about how many bytes a question holds on to: its request, and what
// is made of it by then.
func weightOf(q *gate.Question) int64 {
	r := q.Request
	n := 1024 + len(r.Body) + 2*(len(r.Path)+len(r.RawPath)+len(r.Query)) + len(r.Source.Certificate)
	for i := range r.Headers {
		n += 32 + len(r.Headers[i].Name) + len(r.Headers[i].Value)
	}
	for name, value := range r.Extensions {
		n += 64 + len(name) + len(value)
	}
	for i := range q.Params {
		n += 32 + len(q.Params[i].Name) + len(q.Params[i].Value)
	}
	return int64(n)
}

// samples chooses by the decision's id, so that one is chosen or not wherever
// it is asked. What is asked to be explained is no traffic.
func (j *Journal) samples(q *gate.Question) bool {
	if q.Request.Explain.On() {
		return false
	}
	if j.config.Sample >= 1 {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(q.DecisionID)) // a hash never fails
	// The mixer of MurmurHash3: FNV's upper bits change little with the last
	// bytes.
	n := sum.Sum64()
	n = (n ^ n>>33) * 0xff51afd7ed558ccd
	n ^= n >> 33
	return float64(n>>11)/(1<<53) < j.config.Sample
}

// take lets a note wait, or drops it: a request never waits.
func (j *Journal) take(n *note) {
	if j.waiting.Add(n.weight) > maxWaiting || j.closed.Load() {
		j.drop(n)
		return
	}
	select {
	case j.queue <- n:
	default:
		j.drop(n)
		return
	}
	select {
	case <-j.done: // nobody is left to write it
		j.lose()
	default:
	}
}

func (j *Journal) drop(n *note) {
	j.waiting.Add(-n.weight)
	j.deps.Counts.Dropped.Add(1)
}

// lose drops what waits, and says how much that was.
func (j *Journal) lose() (lost int) {
	for {
		select {
		case n := <-j.queue:
			j.drop(n)
			lost++
		default:
			return lost
		}
	}
}

// run writes until the journal is closed, and then what still waits.
func (j *Journal) run() {
	defer close(j.done)
	w := &writer{config: j.config, deps: j.deps}
	defer w.close()
	for {
		select {
		case n := <-j.queue:
			j.write(w, n)
		case <-j.closing:
			for {
				select {
				case n := <-j.queue:
					j.write(w, n)
				default:
					return
				}
			}
		}
		if len(j.queue) == 0 {
			w.flush()
		}
	}
}

func (j *Journal) write(w *writer, n *note) {
	j.waiting.Add(-n.weight)
	defer func() {
		if cause := recover(); cause != nil {
			j.deps.Counts.Failed.Add(1)
			w.tell("a record could not be made", errors.New(access.PanicText(cause)))
		}
	}()
	held, record := j.record(n)
	w.add(held, record)
}
