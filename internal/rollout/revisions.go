package rollout

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// RevisionsOptions say where revisions are kept.
type RevisionsOptions struct {
	// Directory is made where it is not there.
	Directory string
	// Keep is how many are kept.
	Keep int
	// Failed counts what could not be written; it may be nil.
	Failed func()
	// Retry is how soon what could not be written is tried again; 0 is 15 s.
	Retry  time.Duration
	Logger *slog.Logger
	Now    func() time.Time
}

// Revision is a policy that is kept, to come into force again.
type Revision struct {
	Revision string `json:"revision"`
	// Origin says where it came from, and By who brought it; empty: nobody did, a
	// file changed.
	Origin string `json:"origin"`
	By     string `json:"by,omitempty"`
	// KeptAt is when it was written, and InForceAt when it came into force last;
	// zero: it never did.
	KeptAt    time.Time `json:"kept_at"`
	InForceAt time.Time `json:"in_force_at,omitzero"`
	// RolledBackAt is when it was rolled back from; zero: it was not, since it came
	// into force last.
	RolledBackAt time.Time `json:"rolled_back_at,omitzero"`
	// Further are the places of the further data that it was read with: it is
	// nothing without that, which is not in its archive.
	Further []string `json:"further,omitempty"`
	// Size of its archive in bytes, and the archive's digest.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Where a revision came from.
const (
	OfFiles  = "files"
	OfShadow = "shadow"
	// Kept: it had been in force before, and was rolled back to.
	Kept = "kept"
)

// Revisions are the policies that came into force last, in a directory. What
// can't be written is logged and counted, and holds nothing up. It is used by
// many goroutines at once, and by one process at a time.
type Revisions struct {
	options RevisionsOptions
	woken   chan struct{}
	quit    chan struct{}
	done    chan struct{}
	// waiting came into force and are not on the disk yet.
	waiting waiting

	mu  sync.Mutex
	all []Revision // newest first
	pin *Pin
	// left are revisions that were rolled back from, since when.
	left map[string]time.Time
}

// ErrUnknown says that no such revision is kept.
var ErrUnknown = errors.New("is not kept here")

// OpenRevisions reads what is kept. Its error is a pin that can't be read: what
// was promoted is not known then, and serving anything else would undo it. It is
// closed by Close.
func OpenRevisions(o RevisionsOptions) (*Revisions, error) {
	r, err := LookRevisions(o)
	if err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		r.failed("policy revisions can't be kept", err)
	}
	r.woken, r.quit, r.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go r.write()
	return r, nil
}

// LookRevisions reads what is kept and writes nothing, for who looks on beside
// the process that serves. It need not be closed.
func LookRevisions(o RevisionsOptions) (*Revisions, error) {
	r := &Revisions{options: o, left: map[string]time.Time{}}
	var err error
	if r.pin, err = readPin(o.Directory); err != nil {
		return nil, err
	}
	r.all = r.readAll()
	return r, nil
}

// Close writes what waits and ends. It is safe on nil.
func (r *Revisions) Close() {
	if r == nil || r.quit == nil {
		return
	}
	close(r.quit)
	<-r.done
}

// List tells of the revisions that are kept, the one that came into force last
// first.
func (r *Revisions) List() []Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Keep keeps a revision that is not in force yet. When it returns nil the
// archive is safe on the disk.
func (r *Revisions) Keep(p *policy.Snapshot, origin, by string) error {
	return r.keep(noted{policy: p, origin: origin, by: by})
}

func (r *Revisions) keep(n noted) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, known := r.find(n.policy.Rules())
	places := together(kept.Further, n.policy.FurtherPlaces())
	came := !n.at.IsZero() && (!known || r.all[0].Revision != kept.Revision && n.at.After(kept.InForceAt) || kept.InForceAt.IsZero() || !kept.RolledBackAt.IsZero())
	switch {
	case known && !came && len(places) == len(kept.Further):
		return nil // it is there, and its time stays the one at which it came into force
	case known && came:
		kept.InForceAt, kept.By = n.at, n.by
		if n.origin != Kept {
			kept.Origin = n.origin
		}
	case !known:
		var err error
		if kept, err = r.archive(n); err != nil {
			return err
		}
	}
	kept.Further = places
	if came {
		kept.RolledBackAt = r.leftAt(kept.Revision, n.at)
	}
	if err := r.writeEntry(kept); err != nil {
		return err
	}
	r.all = append(slices.DeleteFunc(r.all, func(other Revision) bool { return other.Revision == kept.Revision }), kept)
	sortRevisions(r.all)
	r.prune(kept.Revision)
	return nil
}

// find looks a revision up. The caller holds mu.
func (r *Revisions) find(revision string) (Revision, bool) {
	at := slices.IndexFunc(r.all, func(kept Revision) bool { return kept.Revision == revision })
	if at < 0 {
		return Revision{}, false
	}
	return r.all[at], true
}

// sortRevisions puts first what came into force last; what never did is as old
// as its file.
func sortRevisions(all []Revision) {
	latest := func(kept Revision) time.Time {
		if kept.InForceAt.IsZero() {
			return kept.KeptAt
		}
		return kept.InForceAt
	}
	slices.SortStableFunc(all, func(a, b Revision) int { return latest(b).Compare(latest(a)) })
}

// prune forgets the oldest ones, but never one that is needed. The caller holds
// mu.
func (r *Revisions) prune(newest string) {
	for i := len(r.all) - 1; i >= 0 && len(r.all) > r.options.Keep; i-- {
		old := r.all[i]
		if old.Revision == newest || r.pin != nil && old.Revision == r.pin.Revision {
			continue
		}
		if err := r.remove(old.Revision); err != nil {
			r.failed("an old policy revision could not be removed", err)
		}
		delete(r.left, old.Revision)
		r.all = slices.Delete(r.all, i, i+1)
	}
}

// Read reads a revision's archive, and refuses one that is not as it was
// written.
func (r *Revisions) Read(revision string) (*policy.Bundle, error) {
	r.mu.Lock()
	kept, known := r.find(revision)
	r.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("the revision %.80q %w", revision, ErrUnknown)
	}
	content, err := r.readArchive(kept)
	if err != nil {
		return nil, fmt.Errorf("the archive of the revision %s: %w", revision, err)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != kept.SHA256 {
		return nil, fmt.Errorf("the archive of the revision %s is not as it was written", revision)
	}
	return policy.ReadBundle("", bytes.NewReader(content), policy.BundleOptions{MaxFileSize: maxArchivedFile})
}

// maxArchivedFile bounds one file of an archive, which Postern wrote itself.
const maxArchivedFile = 4 << 30

func (r *Revisions) failed(what string, err error) {
	r.options.Logger.Error(what, "error", err.Error())
	if r.options.Failed != nil {
		r.options.Failed()
	}
}

// sums counts and digests what is written through it.
type sums struct {
	io.Writer
	size int64
}

func (s *sums) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.size += int64(n)
	return n, err
}
