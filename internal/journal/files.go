package journal

import (
	"fmt"
	"os"
	"path/filepath"
)

// Paths are the files of journals: a file itself, or all of a directory. Each is
// there once, however often it is named.
func Paths(paths []string) ([]string, error) {
	var all []string
	met := map[string]bool{}
	for _, path := range paths {
		files, err := filesAt(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			one, err := filepath.EvalSymlinks(file)
			if err == nil {
				one, err = filepath.Abs(one)
			}
			if err != nil {
				return nil, err
			}
			if !met[one] {
				met[one] = true
				all = append(all, file)
			}
		}
	}
	return all, nil
}

func filesAt(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := Files(path)
	if err == nil && len(files) == 0 {
		return nil, fmt.Errorf("%s: there is no file of a journal (%s*%s) in it", path, prefix, suffix)
	}
	return files, err
}
