package serve

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sources are what was read, by real paths.
type sources struct {
	// folders are watched.
	folders []string
	// files are those that were read, and trees the folders of which every file
	// is.
	files, trees map[string]bool
}

// watched gathers sources. Folders stand in it by their real paths: a link that is
// turned leaves its old target behind, and so would a watch by the link's name.
type watched struct {
	folders, files, trees map[string]bool
	// left is how many files and folders of trees are looked at yet.
	left int
}

// maxWatched is far more than the kernel lets one process watch, unless it was
// told to, and as much as a policy may have.
const maxWatched = 10_000

func newWatched() *watched {
	return &watched{folders: map[string]bool{}, files: map[string]bool{}, trees: map[string]bool{}, left: maxWatched}
}

func (w *watched) sources() sources {
	return sources{folders: slices.Sorted(maps.Keys(w.folders)), files: w.files, trees: w.trees}
}

// file adds a file that was read, or was to be.
func (w *watched) file(path string) {
	w.folder(filepath.Dir(path))
	w.links(path, maxLinks)
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		w.folders[filepath.Dir(resolved)] = true
		w.files[resolved] = true
	}
}

// pattern adds the folders in which a file may come that a pattern matches: those
// that there are, and those above in which others may come.
func (w *watched) pattern(pattern string) {
	switch folder := filepath.Dir(pattern); {
	case !isPattern(pattern):
		w.file(pattern)
	case !isPattern(folder):
		w.folder(existing(folder))
	default:
		w.pattern(folder)
		folders, _ := filepath.Glob(folder) // one that is malformed is refused where it is read
		for _, folder := range folders {
			w.folder(folder)
		}
	}
}

func isPattern(path string) bool { return strings.ContainsAny(path, `*?[\`) }

// existing is the folder, or the nearest above it that is there.
func existing(folder string) string {
	for above := filepath.Dir(folder); above != folder; folder, above = above, filepath.Dir(above) {
		if _, err := os.Stat(folder); err == nil {
			break
		}
	}
	return folder
}

// folder adds a folder and every folder on the way to it that holds a link,
// since turning the link changes what the path means. One that is not there is
// reported when it is loaded.
func (w *watched) folder(path string) {
	w.links(path, maxLinks)
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return
	}
	if info, err := os.Stat(resolved); err == nil && info.IsDir() {
		w.folders[resolved] = true
	}
}

// maxLinks is how many links are followed, as by the kernel.
const maxLinks = 40

func (w *watched) links(path string, left int) {
	for p := filepath.Clean(path); left > 0 && p != filepath.Dir(p); p = filepath.Dir(p) {
		target, err := os.Readlink(p)
		if err != nil {
			continue
		}
		if parent, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
			w.folders[parent] = true
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(p), target)
		}
		left--
		w.links(target, left)
	}
}

// tree adds a folder and all folders below it, as policy reads them: through
// links, and without what is hidden. Each is looked at once, so that links may
// lead round in circles.
func (w *watched) tree(path string) {
	w.folder(path)
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil || w.trees[resolved] {
		return
	}
	entries, err := os.ReadDir(resolved)
	if err != nil {
		return // it is reported when it is loaded
	}
	w.trees[resolved] = true
	for _, entry := range entries {
		if w.left == 0 {
			return
		}
		w.entry(filepath.Join(resolved, entry.Name()), entry.Type())
	}
}

func (w *watched) entry(path string, kind fs.FileMode) {
	linked := kind&fs.ModeSymlink != 0
	if strings.HasPrefix(filepath.Base(path), ".") || !linked && !kind.IsDir() {
		return
	}
	w.left--
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		w.tree(path)
	default: // a link to a file, or to what is not there yet
		w.file(path)
	}
}
