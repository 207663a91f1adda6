package importer

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mapping is a mapping whose keys keep their order.
type mapping struct{ pairs []pair }

type pair struct {
	key   string
	value any
}

func (m *mapping) text(key, value string) { m.set(key, value, value != "") }

func (m *mapping) set(key string, value any, present bool) {
	if present {
		m.pairs = append(m.pairs, pair{key, value})
	}
}

// MarshalYAML implements yaml.Marshaler.
func (m mapping) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range m.pairs {
		var value yaml.Node
		if err := value.Encode(p.value); err != nil {
			return nil, err
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.key}, &value)
	}
	return n, nil
}

// listItem writes a mapping as an item of a list, with two spaces before it.
func listItem(m mapping) (string, error) {
	text, err := yamlOf([]any{m})
	return indent(text, "  "), err
}

func yamlOf(value any) (string, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("write YAML: %w", err)
	}
	return b.String(), encoder.Close()
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}

func commentOf(declared mapping, missing string) (string, error) {
	text, err := yamlOf([]any{declared})
	return "    # lacks " + missing + ", which can't be read back:\n" + indent(text, "    #   "), err
}
