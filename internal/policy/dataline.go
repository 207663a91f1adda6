package policy

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

// maxLined is up to which size a file of data is read once more to name a line.
const maxLined = 1 << 20

// line is where a file has what stands below data at a path, counted from 1; 0:
// that is not known, or not worth the time.
func (d *dataset) line(at []string) int {
	if d.info == nil || d.info.Size() > maxLined || len(at) < len(d.at) {
		return 0
	}
	text, err := os.ReadFile(d.name)
	if err != nil || len(text) > maxLined {
		return 0
	}
	var document yaml.Node // JSON is YAML
	if yaml.Unmarshal(text, &document) != nil || len(document.Content) == 0 {
		return 0
	}
	return lineOf(document.Content[0], at[len(d.at):])
}

func lineOf(node *yaml.Node, at []string) int {
	line := node.Line
	for _, name := range at {
		var below *yaml.Node
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				line, below = node.Content[i].Line, node.Content[i+1]
			}
		}
		if below == nil {
			return 0
		}
		node = below
	}
	return line
}

// place is `file:line` of what a document has at a path, or the file alone.
func (d *dataset) place(at []string) string {
	if line := d.line(at); line > 0 {
		return fmt.Sprintf("%s:%d", d.name, line)
	}
	return d.name
}
