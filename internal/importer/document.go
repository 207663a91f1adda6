package importer

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// maxDocuments bounds the YAML documents of one source.
const maxDocuments = 10_000

// document is one YAML document of a source.
type document struct {
	Source
	format Format
	root   field
}

// parse reads the YAML of every source and tells its format. What follows a
// broken source is read all the same, to tell of its problems too.
func (r *reader) parse(format Format, sources []Source) []document {
	var all []document
	for i, source := range sources {
		if _, taken := r.order[source.Name]; !taken {
			r.order[source.Name] = i
		}
		roots, problem := r.roots(source)
		if problem != nil {
			r.refuse(*problem)
			continue
		}
		found := format
		if format == Auto {
			found = detect(source.Data, roots[0])
		}
		if i == 0 {
			r.plan.Format = found
		}
		if r.plan.Format != found {
			r.plan.Format = Auto
		}
		all = append(all, r.documents(source, found, roots)...)
	}
	return all
}

func (r *reader) documents(source Source, format Format, roots []field) []document {
	if len(roots) > 1 && format != APISIXCRD {
		roots[1].problem("a second document begins here; expected one only")
		roots = roots[:1]
	}
	var all []document
	for _, root := range roots {
		if root.sound() {
			all = append(all, document{Source: source, format: format, root: root})
		}
	}
	return all
}

// roots are the documents of a source, of which there is at least one.
func (r *reader) roots(source Source) ([]field, *strictyaml.Problem) {
	if len(source.Data) > strictyaml.MaxSize {
		return nil, &strictyaml.Problem{File: source.Name, Text: "is larger than 16 MiB"}
	}
	var roots []field
	decoder := yaml.NewDecoder(bytes.NewReader(source.Data))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		switch {
		case errors.Is(err, io.EOF) && len(roots) > 0:
			return roots, nil
		case errors.Is(err, io.EOF):
			return nil, &strictyaml.Problem{File: source.Name, Text: "is empty; expected a mapping"}
		case err != nil:
			return nil, syntax(source.Name, err)
		case len(roots) == maxDocuments:
			return nil, &strictyaml.Problem{File: source.Name, Text: "has more than 10000 documents"}
		}
		if root := node.Content[0]; root.ShortTag() != "!!null" { // an empty document between two ---
			roots = append(roots, field{r: r, file: source.Name, node: root, line: root.Line})
		}
	}
}

var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax tells the parser's error in our form. What the parser quotes may be
// the beginning of a secret.
func syntax(file string, err error) *strictyaml.Problem {
	p := &strictyaml.Problem{File: file, Text: "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1]) // digits; beyond int it stays at the limit
		p.Text = "not valid YAML: " + strings.TrimPrefix(err.Error(), m[0])
	}
	if strings.Contains(p.Text, "'") {
		p.Text = "not valid YAML; a value that begins with a special character needs quotes"
	}
	return p
}
