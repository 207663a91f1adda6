package journal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// The form of the files, and their names: the time of their beginning first, so
// that they sort by age.
const (
	version  = 1
	prefix   = "decisions-"
	suffix   = ".jsonl"
	nameTime = "20060102T150405.000000"
)

// writer appends records to one file after the other. A line that could not be
// written whole is taken back.
type writer struct {
	config Config
	deps   Deps
	file   *os.File
	// size is what is written for certain, waiting what is not yet, with its
	// number of records.
	size    int64
	waiting []byte
	records int64
	// held are the numbers of what this file has said that records hold.
	held map[held]int
	told time.Time
}

// add lets a record wait until there are more.
func (w *writer) add(h held, record []byte) {
	if len(record) > maxRecord {
		w.deps.Counts.Failed.Add(1)
		return
	}
	full := w.size+int64(len(w.waiting)+len(record)) > w.config.MaxFileSize || len(w.held) == maxSelections
	if full && (w.size > 0 || w.records > 0) {
		w.flush()
		w.finish()
	}
	if w.held == nil {
		w.held = map[held]int{}
		w.waiting = fmt.Appendf(w.waiting, "{\"postern_journal\":%d}\n", version)
	}
	n, known := w.held[h]
	if !known {
		n = len(w.held) + 1
		w.held[h] = n
		w.waiting = append(w.waiting, selectionLine(n, h)...)
	}
	w.waiting = append(append(w.waiting, `{"selection":`...), strconv.Itoa(n)...)
	w.waiting = append(w.waiting, record...)
	w.records++
	if len(w.waiting) >= flushAt {
		w.flush()
	}
}

func selectionLine(n int, h held) []byte {
	line := selection{Number: n, Whole: h.whole}
	if !h.whole {
		line.Paths = h.source.inputs.Selection(h.entrypoint).Paths()
	}
	text, err := json.Marshal(&line)
	if err != nil {
		return nil // it is numbers and text
	}
	return append(text, '\n')
}

// selection is a line that says what records hold.
type selection struct {
	Number int           `json:"selection"`
	Whole  bool          `json:"whole,omitempty"`
	Paths  []policy.Path `json:"holds,omitempty"`
}

// flush writes what waits, or loses it.
func (w *writer) flush() {
	if len(w.waiting) == 0 {
		return
	}
	err := w.begin()
	if err == nil {
		err = w.append()
	}
	if err != nil {
		w.deps.Counts.Failed.Add(w.records)
		w.tell("records are lost: the journal can't be written", err)
		w.drop()
	} else {
		w.deps.Counts.Written.Add(w.records)
	}
	w.waiting, w.records = w.waiting[:0], 0
}

func (w *writer) append() error {
	n, err := w.file.Write(w.waiting)
	if err == nil {
		w.size += int64(n)
	}
	return err
}

// drop takes back what was written of a batch that failed, and leaves the file:
// what it has said of selections may be lost with it. One that has nothing goes.
func (w *writer) drop() {
	if w.file == nil {
		w.held = nil
		return
	}
	if err := w.file.Truncate(w.size); err != nil {
		w.tell("the journal's last line may be torn", err)
	}
	if w.size == 0 {
		if err := os.Remove(w.file.Name()); err != nil {
			w.tell("an empty file of the journal is left", err)
		}
	}
	w.finish()
}

// begin opens the next file where there is none. Its lock says to others that
// it is being written.
func (w *writer) begin() error {
	if w.file != nil {
		return nil
	}
	name := fmt.Sprintf("%s%s-%d-%s%s", prefix, w.deps.Now().UTC().Format(nameTime), os.Getpid(), random(), suffix)
	f, err := os.OpenFile(filepath.Join(w.config.Directory, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		w.tell("a file of the journal can't be locked; another process may take it for finished", err)
	}
	w.file, w.size = f, 0
	w.deps.Counts.Files.Add(1)
	w.prune()
	return nil
}

// random parts the names of files that are begun at once. They need not be
// secret.
func random() string {
	n := rand.Uint32() //nolint:gosec // see above
	return hex.EncodeToString([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// prune removes the oldest files beyond the bound, but none that is being
// written.
func (w *writer) prune() {
	names, err := Files(w.config.Directory)
	if err != nil {
		w.tell("the journal's directory can't be read", err)
		return
	}
	for _, name := range names[:max(0, len(names)-w.config.MaxFiles)] {
		if name == w.file.Name() || busy(name) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.tell("an old file of the journal can't be removed", err)
		}
	}
}

func busy(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// Files are a directory's, the oldest first.
func Files(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) && strings.HasSuffix(entry.Name(), suffix) && entry.Type().IsRegular() {
			names = append(names, filepath.Join(directory, entry.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// finish leaves the file.
func (w *writer) finish() {
	w.held = nil
	if w.file == nil {
		return
	}
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		w.tell("a file of the journal may be torn", err)
	}
	w.file, w.size = nil, 0
}

func (w *writer) close() {
	w.flush()
	w.finish()
}

// tell logs at a bounded rate.
func (w *writer) tell(what string, err error) {
	if now := w.deps.Now(); now.Sub(w.told) >= tellEvery {
		w.told = now
		w.deps.Logger.Error(what, "error", err.Error(), "lost", w.deps.Counts.Failed.Load())
	}
}
