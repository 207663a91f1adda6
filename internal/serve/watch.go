package serve

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must be quiet before they are read: editors and
// deployments write several times.
const settle = 50 * time.Millisecond

// watchFolders calls changed when something in the folders changes, until ctx
// ends. Folders are watched rather than files, since editors and Kubernetes
// replace files by renaming. folders is asked again after each change.
func watchFolders(ctx context.Context, logger *slog.Logger, folders func() []string, changed func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	add(watcher, logger, folders())
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if event.Op != fsnotify.Chmod {
				quiet.Reset(settle)
			}
		case err := <-watcher.Errors:
			// Events may be lost (a full queue): read everything again.
			logger.Warn("watching files", "error", err.Error())
			quiet.Reset(settle)
		case <-quiet.C:
			changed()
			add(watcher, logger, folders())
		}
	}
}

// add watches folders; one that is watched already stays so.
func add(watcher *fsnotify.Watcher, logger *slog.Logger, folders []string) {
	for _, folder := range folders {
		if err := watcher.Add(folder); err != nil {
			logger.Warn("a folder can't be watched; send SIGHUP after changing it", "folder", folder, "error", err.Error())
		}
	}
}

// tree lists a folder and all folders below it.
func tree(root string) []string {
	var folders []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil // what can't be read is reported when it is loaded
	})
	return folders
}
