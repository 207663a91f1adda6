package serve

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be quiet before they are read: editors and
// deployments write several times. Files that never come to rest are read
// after restless all the same.
const (
	settle   = 50 * time.Millisecond
	restless = time.Second
)

// watchFolders calls load when what was read may have changed, or on a signal,
// until ctx ends. Folders are watched rather than files, since editors and
// Kubernetes replace files by renaming. After a load that failed it calls again
// in a while. The load that follows a signal is told so.
func watchFolders(ctx context.Context, logger *slog.Logger, seen func() sources, told <-chan os.Signal, again time.Duration, load func(told bool) bool) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Close() }()
	// What changed since the files were read first has given no event: they are
	// read once more as soon as the folders are watched.
	w := &watch{watcher: watcher, logger: logger, due: time.NewTimer(settle)}
	defer w.due.Stop()
	w.look(seen())
	asked := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if w.concerns(event) {
				w.changed()
			}
		case err := <-watcher.Errors:
			// Events may be lost (a full queue): read everything again.
			logger.Warn("watching files", "error", err.Error())
			w.changed()
		case <-told:
			asked = true
			w.due.Reset(0)
		case <-w.due.C:
			w.since = time.Time{}
			if !load(asked) {
				w.due.Reset(again)
			}
			asked = false
			w.look(seen())
		}
	}
}

// concerns reports whether an event may change what a load reads. What comes, goes
// or is renamed may, whatever its name; of what is only written to, that alone
// which was read: a log or a database beside it is written to all the time.
func (s sources) concerns(event fsnotify.Event) bool {
	switch {
	case event.Has(fsnotify.Create) || event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename):
		return true
	case event.Has(fsnotify.Write):
		return s.files[event.Name] || s.trees[filepath.Dir(event.Name)]
	}
	return false
}

type watch struct {
	watcher *fsnotify.Watcher
	logger  *slog.Logger
	due     *time.Timer
	sources
	// since is when the first change came that was not read yet.
	since time.Time
}

func (w *watch) changed() {
	now := time.Now()
	if w.since.IsZero() {
		w.since = now
	}
	w.due.Reset(min(settle, max(0, restless-now.Sub(w.since))))
}

// look watches the folders of sources; one that is watched already stays so. What
// came into a new one before it was watched has given no event: all is read once
// more.
func (w *watch) look(s sources) {
	w.sources = s
	before := w.watcher.WatchList()
	for _, folder := range s.folders {
		err := w.watcher.Add(folder)
		switch {
		case err != nil:
			w.logger.Warn("a folder can't be watched; send SIGHUP after changing it", "folder", folder, "error", err.Error())
		case !slices.Contains(before, folder):
			w.changed()
		}
	}
}
