package bundles

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// version is one content of a bundle.
type version struct {
	bundle *policy.Bundle
	digest [sha256.Size]byte
	etag   string
	// raw is the archive until it is kept on disk.
	raw *parcel
	// fromDisk says that it was kept from an earlier run.
	fromDisk bool
	at       time.Time
}

// source follows one bundle.
type source struct {
	config Config
	deps   Deps
	// web is nil for files, local and shelf for what is fetched without being kept.
	web    *downloader
	local  *reader
	shelf  *shelf
	poke   chan struct{}
	end    context.CancelFunc
	ended  chan struct{}
	change func()
	// anew has a file read whatever it looks like.
	anew atomic.Bool

	mu sync.Mutex
	// newest is what was read last, good what is in force; either may be nil.
	newest, good *version
	// refused is why newest is not in force, fetching why nothing newer is known,
	// and keeping why it isn't on disk; recalled is why what was on disk is of no
	// use, until something is fetched.
	refused, fetching, keeping, recalled string
	report                               Report
}

// newSource reads what is at hand, a file or what was kept, and begins to
// follow.
func newSource(ctx context.Context, c Config, d Deps, change func()) (*source, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	s := &source{
		config: c, deps: d, poke: make(chan struct{}, 1), end: end, ended: make(chan struct{}), change: change,
		shelf: newShelf(d.Directory, &c), report: Report{Name: c.Name},
	}
	if err := s.open(ctx); err != nil {
		end()
		return nil, err
	}
	go s.follow(ctx)
	return s, nil
}

func (s *source) open(ctx context.Context) error {
	if s.config.URL == "" {
		s.local = &reader{config: s.config, now: s.deps.Now}
		_ = s.ask() //nolint:contextcheck // reading files has none; what went wrong is in the report
		return nil
	}
	carrier, err := newCarrier(ctx, s.config, s.deps.limits)
	if err != nil {
		return err
	}
	if s.web, err = newDownloader(carrier, &logger{s.deps.Logger, s.config.redact}); err != nil {
		return err
	}
	s.recall()
	return nil
}

// recall takes what was kept, so that a start needs no network. Its signature
// is verified as that of a fetched one.
func (s *source) recall() {
	if s.shelf == nil {
		return
	}
	raw, err := s.shelf.read(s.config.MaxSize)
	if err == nil && raw != nil {
		_, err = s.offer(fromFile(raw), true)
	}
	if err != nil {
		s.recalled = "what was kept on disk can't be used: " + s.config.redact(err.Error())
		s.deps.Logger.Error("a bundle that was kept on disk can't be used, and there is none until it is fetched", "bundle", s.config.Name, "error", s.recalled)
	}
}

// look is how often files are looked at, at least: that costs next to nothing.
const look = 500 * time.Millisecond

// firstRetry is how soon a fetch that failed is tried again; the time doubles.
const firstRetry = 500 * time.Millisecond

func (s *source) follow(ctx context.Context) {
	defer close(s.ended)
	due := time.NewTimer(0)
	defer due.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			if s.web != nil {
				s.web.carrier.plain.CloseIdleConnections()
			}
			return
		case <-s.poke:
		case <-due.C:
		}
		s.keep()
		if err := s.ask(); err != nil { //nolint:contextcheck // what is under way ends with the carrier's context
			failures++
		} else {
			failures = 0
		}
		due.Reset(s.pause(failures))
	}
}

// pause is the time to the next question. It is spread, so that many processes
// do not ask at once.
func (s *source) pause(failures int) time.Duration {
	pause := s.config.Every
	if s.local != nil {
		pause = min(pause, look)
	}
	if failures > 0 {
		pause = min(pause, firstRetry<<min(failures-1, 16))
	}
	return pause - time.Duration(float64(pause/10)*s.deps.Spread())
}

// ask looks once for something newer, and says what came of it.
func (s *source) ask() error {
	fresh, err := s.fetch()
	isNew := false
	if err == nil && !fresh.unchanged {
		if isNew, err = s.offer(fresh, false); s.local != nil {
			s.local.wrong = err
		}
	}
	if err != nil {
		s.failed(s.config.redact(err.Error()))
	} else {
		s.succeeded()
	}
	s.mu.Lock()
	s.report.Polls++
	s.mu.Unlock()
	if isNew {
		s.change()
	}
	return err
}

func (s *source) fetch() (content, error) {
	s.mu.Lock()
	newest := s.newest
	s.mu.Unlock()
	switch {
	case s.local != nil:
		if s.anew.Swap(false) {
			s.local.seen = nil
		}
		return s.local.fetch()
	case newest == nil:
		return s.web.fetch("", [sha256.Size]byte{})
	}
	return s.web.fetch(newest.etag, newest.digest)
}

// offer reads and verifies a content, and makes it the newest; it reports
// whether it is another than before.
func (s *source) offer(c content, fromDisk bool) (bool, error) {
	v := &version{digest: c.digest, bundle: c.bundle, etag: c.etag, fromDisk: fromDisk, at: s.deps.Now()}
	s.mu.Lock()
	newest := s.newest
	s.mu.Unlock()
	if newest != nil && newest.digest == v.digest {
		s.confirm(newest, c.etag)
		return false, nil
	}
	if v.bundle == nil {
		var err error
		if v.bundle, err = policy.ReadBundle(s.config.Name, c.raw.reader(), s.config.options()); err != nil {
			return false, err
		}
	}
	if s.shelf != nil && !fromDisk {
		v.raw = c.raw
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good != nil && s.good.digest == v.digest { // it was taken back
		s.good.etag = c.etag
		v = s.good
	}
	s.newest, s.refused = v, ""
	return true, nil
}

// confirm notes that the server has what is known, under another ETag maybe.
func (s *source) confirm(v *version, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.etag = etag
}

func (s *source) failed(why string) {
	s.mu.Lock()
	again, none := s.fetching == why, s.newest == nil
	s.fetching = why
	s.report.Failures++
	s.mu.Unlock()
	switch {
	case again:
	case none:
		s.deps.Logger.Warn("a bundle can't be fetched, and there is none yet", "bundle", s.config.Name, "error", why)
	default:
		s.deps.Logger.Warn("a bundle can't be brought up to date, the last good one stays", "bundle", s.config.Name, "error", why)
	}
}

func (s *source) succeeded() {
	s.mu.Lock()
	mended := s.fetching != ""
	s.fetching, s.recalled, s.report.LastSuccess = "", "", s.deps.Now()
	if s.newest != nil {
		s.newest.fromDisk = false
	}
	s.mu.Unlock()
	if mended {
		s.deps.Logger.Info("a bundle is fetched again", "bundle", s.config.Name)
	}
}

// refuse notes why a version can't be put in force.
func (s *source) refuse(v *version, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != v || v == s.good {
		return
	}
	if s.refused != why {
		s.refused = why
		s.report.Failures++
	}
}

// activated notes that a version is in force.
func (s *source) activated(v *version) {
	s.mu.Lock()
	isNew := s.good != v
	s.good = v
	if isNew {
		s.report.Activations++
		s.report.LastActivation, s.report.Revision = s.deps.Now(), v.bundle.Revision
	}
	if s.newest == v {
		s.refused = ""
	}
	fromDisk, unkept := v.fromDisk, v.raw != nil
	s.mu.Unlock()
	if isNew {
		s.deps.Logger.Info("a bundle is in force", "bundle", s.config.Name, "bundle_revision", v.bundle.Revision, "from_disk", fromDisk)
	}
	if isNew && unkept {
		s.nudge()
	}
}

// nudge has the source ask soon.
func (s *source) nudge() {
	select {
	case s.poke <- struct{}{}:
	default: // it will anyway
	}
}

// keep writes to disk what is in force and not there yet.
func (s *source) keep() {
	s.mu.Lock()
	v := s.good
	s.mu.Unlock()
	if s.shelf == nil || v == nil || v.raw == nil {
		return
	}
	err := s.shelf.write(v.raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		v.raw, s.keeping = nil, ""
		return
	}
	if s.keeping == "" {
		s.deps.Logger.Warn("a bundle can't be kept on disk; a start without network would lack it", "bundle", s.config.Name, "error", err.Error())
	}
	s.keeping = "it can't be kept on disk: " + err.Error()
}

// versions are the newest and the good one.
func (s *source) versions() (newest, good *version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest, s.good
}

// why there is nothing yet.
func (s *source) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := s.fetching
	if why == "" {
		why = "it is being fetched"
	}
	if s.recalled != "" {
		why = s.recalled + "; " + why
	}
	return why
}

// state is the report at the moment.
func (s *source) state() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.FromDisk = s.good != nil && s.good.fromDisk
	var all []error
	for _, text := range []string{s.recalled, s.refused, s.fetching, s.keeping} {
		if text != "" {
			all = append(all, errors.New(text))
		}
	}
	if err := errors.Join(all...); err != nil {
		r.Error = err.Error()
	}
	return r
}

func (s *source) close() {
	s.end()
	<-s.ended
}
