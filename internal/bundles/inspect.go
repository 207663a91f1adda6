package bundles

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// maxEntries is how many files and folders an archive may have.
const maxEntries = 10_000

// inspect unpacks an archive without keeping it, before OPA's downloader reads
// all of it into memory: no file may be larger than most, and all of them not
// larger than four times that.
func inspect(r io.Reader, most int64) error {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is no .tar.gz: %w", err)
	}
	left := &io.LimitedReader{R: zipped, N: 4*most + maxEntries*1024}
	archive, total := tar.NewReader(left), int64(0)
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		switch {
		case left.N <= 0:
			return errors.New("the archive unpacks to more than four times what max_size allows a file")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the archive can't be read: %w", err)
		case header.Size > most:
			return fmt.Errorf("a file of the archive has %d bytes unpacked; max_size allows %d", header.Size, most)
		case total+header.Size > 4*most: // a sparse file is larger than what stands in the archive
			return errors.New("the archive unpacks to more than four times what max_size allows a file")
		case entries >= maxEntries:
			return fmt.Errorf("the archive has more than %d files", maxEntries)
		}
		total += header.Size
	}
}
