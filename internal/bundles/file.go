package bundles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/stamp"
)

// reader reads a bundle from an archive or a folder, whenever it may have
// changed.
type reader struct {
	config Config
	now    func() time.Time
	// seen are the files as they looked when they were read, at readAt; nil: they
	// are read whatever they look like.
	seen   []entry
	readAt time.Time
	// wrong is why what was read then is no bundle, nil: it is one.
	wrong error
}

// fetch tells nothing new as long as the files are certainly as they were.
func (r *reader) fetch() (content, error) {
	began := r.now()
	files, err := r.files()
	if err != nil {
		return content{}, err
	}
	if r.unchanged(files) {
		return content{unchanged: true}, r.wrong
	}
	raw, err := r.read(files)
	if err != nil {
		return content{}, err
	}
	r.seen, r.readAt, r.wrong = files, began, nil
	return fromFile(raw), nil
}

// fromFile is what was read from the disk.
func fromFile(raw []byte) content {
	packed := parcelOf(raw)
	return content{raw: packed, digest: packed.digest()}
}

// entry is one file of a bundle; its name is empty where it is the archive.
type entry struct {
	name, path string
	look       stamp.Stamp
}

func (r *reader) unchanged(files []entry) bool {
	return r.seen != nil && slices.EqualFunc(r.seen, files, func(was, is entry) bool {
		return was.name == is.name && was.look.Unchanged(r.readAt, is.look)
	})
}

func (r *reader) files() ([]entry, error) {
	info, err := os.Stat(r.config.File)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is neither a file nor a folder", r.config.File)
	case !info.IsDir():
		return []entry{{path: r.config.File, look: stamp.Of(info)}}, nil
	}
	return folder(r.config.File)
}

// folder lists the files of a bundle that is unpacked. Links to files are
// followed, as Kubernetes mounts them; hidden ones are no part of it, but for
// the bundle's own.
func folder(root string) (all []entry, err error) {
	root, err = filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case hidden(d.Name()) && d.IsDir():
			return filepath.SkipDir
		case d.IsDir() || hidden(d.Name()):
			return nil
		case len(all) >= maxEntries:
			return fmt.Errorf("%s has more than %d files", root, maxEntries)
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			all = append(all, entry{filepath.ToSlash(name), path, stamp.Of(info)})
		}
		return nil
	})
	return all, err
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") && name != ".manifest" && name != ".signatures.json"
}

// read gives the archive, or makes one of a folder, so that both are read and
// verified alike.
func (r *reader) read(files []entry) ([]byte, error) {
	if len(files) == 1 && files[0].name == "" {
		return bounded(files[0].path, r.config.MaxSize)
	}
	var packed bytes.Buffer
	zipped, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // the level is a good one
	archive, total := tar.NewWriter(zipped), int64(0)
	for _, f := range files {
		text, err := bounded(f.path, r.config.MaxSize)
		if err != nil {
			return nil, err
		}
		if total += int64(len(text)); total > 4*r.config.MaxSize {
			return nil, errors.New("the files together have more than four times what max_size allows one")
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(text)), Mode: 0o600}
		if err := errors.Join(archive.WriteHeader(header), second(archive.Write(text))); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func second(_ int, err error) error { return err }

// bounded reads a file of at most so many bytes.
func bounded(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes, which max_size allows", path, most)
	}
	return text, err
}
