package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// stream is several files as one document, which knows where each one begins.
type stream struct {
	text strings.Builder
	// names are the files, and starts the lines before each one's first.
	names  []string
	starts []int
}

// readStream reads files, each a YAML document or more.
func readStream(names []string, stdin io.Reader) (stream, error) {
	var s stream
	lines := 0
	for _, name := range names {
		data, err := readDocument(name, stdin)
		if err != nil {
			return s, fmt.Errorf("%s %w", name, err)
		}
		if len(s.names) > 0 {
			lines += s.separate()
		}
		s.names, s.starts = append(s.names, name), append(s.starts, lines)
		_, _ = s.text.Write(data) // a builder never fails to write
		lines += strings.Count(string(data), "\n")
	}
	return s, nil
}

// separate begins another document, and returns how many lines that takes.
func (s *stream) separate() int {
	separator := "---\n"
	if !strings.HasSuffix(s.text.String(), "\n") {
		separator = "\n---\n"
	}
	s.text.WriteString(separator)
	return strings.Count(separator, "\n")
}

func readDocument(name string, stdin io.Reader) ([]byte, error) {
	if name != "-" {
		return strictyaml.ReadFile(name, strictyaml.MaxSize)
	}
	data, err := io.ReadAll(io.LimitReader(stdin, strictyaml.MaxSize+1))
	if len(data) > strictyaml.MaxSize {
		return nil, fmt.Errorf("is larger than %d bytes", strictyaml.MaxSize)
	}
	return data, err
}

// at turns a place in the stream, "document:12", into one in its file. Any other
// text stays.
func (s *stream) at(place string) string {
	number, ok := strings.CutPrefix(place, "document:")
	line, err := strconv.Atoi(number)
	if !ok || err != nil {
		return place
	}
	for i := len(s.starts) - 1; i >= 0; i-- {
		if line > s.starts[i] {
			return fmt.Sprintf("%s:%d", s.names[i], line-s.starts[i])
		}
	}
	return place
}

// place does the same for what the API says of fields, which may end with the
// place of another.
func (s *stream) place(r *refusal) {
	for _, f := range r.fields {
		f.Field = s.at(f.GetField())
		text, last := f.GetDescription(), strings.LastIndexByte(f.GetDescription(), ' ')+1
		f.Description = text[:last] + s.at(text[last:])
	}
}

// verbatim is a document that is printed as it is.
type verbatim string

func (v verbatim) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, string(v))
	return err
}
