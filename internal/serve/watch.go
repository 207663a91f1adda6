package serve

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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
// in a while.
func watchFolders(ctx context.Context, logger *slog.Logger, seen func() sources, told <-chan os.Signal, again time.Duration, load func() bool) error {
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
			w.due.Reset(0)
		case <-w.due.C:
			w.since = time.Time{}
			if !load() {
				w.due.Reset(again)
			}
			w.look(seen())
		}
	}
}

// sources are what was read, by real paths.
type sources struct {
	// folders are watched.
	folders []string
	// files are those that were read, and trees the folders of which every file
	// is.
	files, trees map[string]bool
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

// look watches the folders of sources; one that is watched already stays so.
func (w *watch) look(s sources) {
	w.sources = s
	for _, folder := range s.folders {
		if err := w.watcher.Add(folder); err != nil {
			w.logger.Warn("a folder can't be watched; send SIGHUP after changing it", "folder", folder, "error", err.Error())
		}
	}
}

// watched are folders by their real paths: a link that is turned leaves its
// old target behind, and so would a watch by the link's name.
type watched map[string]bool

// folder adds a folder and every folder on the way to it that holds a link,
// since turning the link changes what the path means. One that is not there is
// reported when it is loaded.
func (w watched) folder(path string) {
	w.links(path, maxLinks)
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	if info, err := os.Stat(resolved); err == nil && info.IsDir() { // a pattern may stand in a folder's name
		w[resolved] = true
	}
}

// maxLinks is how many links are followed, as by the kernel.
const maxLinks = 40

func (w watched) links(path string, left int) {
	for p := filepath.Clean(path); left > 0 && p != filepath.Dir(p); p = filepath.Dir(p) {
		target, err := os.Readlink(p)
		if err != nil {
			continue
		}
		if parent, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
			w[parent] = true
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(p), target)
		}
		left--
		w.links(target, left)
	}
}

// tree adds a folder and all folders below it.
func (w watched) tree(root string) {
	w.folder(root)
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return
	}
	_ = filepath.WalkDir(resolved, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			w[path] = true
		}
		return nil // what can't be read is reported when it is loaded
	})
}
