package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// output is the form of an answer: text for people, JSON or YAML for machines.
type output string

// The forms.
const (
	text   output = "text"
	asJSON output = "json"
	asYAML output = "yaml"
)

func outputFlag(cmd *cobra.Command) *output {
	o := text
	cmd.Flags().VarP(&o, "output", "o", "text, or json or yaml for machines")
	completeOutput(cmd)
	return &o
}

// completeOutput lets the shell complete the forms.
func completeOutput(cmd *cobra.Command) {
	forms := []cobra.Completion{string(text), string(asJSON), string(asYAML)}
	// The flag is there: its caller made it.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (o *output) String() string { return string(*o) }

// Type implements pflag.Value.
func (*output) Type() string { return "form" }

// Set implements pflag.Value.
func (o *output) Set(s string) error {
	switch form := output(s); form {
	case text, asJSON, asYAML:
		*o = form
		return nil
	}
	return fmt.Errorf("%q is not a form; expected text, json or yaml", s)
}

// write writes a value for machines.
func (o output) write(w io.Writer, value any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	if o == asYAML {
		return writeYAML(w, &b)
	}
	_, err := b.WriteTo(w)
	return err
}

// writeYAML writes JSON as YAML, with its members in their order.
func writeYAML(w io.Writer, document io.Reader) error {
	d := json.NewDecoder(document)
	d.UseNumber()
	node, err := yamlNode(d)
	if err != nil {
		return err
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(node); err != nil {
		return err
	}
	return e.Close()
}

// yamlNode reads the next JSON value.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return yamlNodes(d, &yaml.Node{Kind: yaml.MappingNode})
	case json.Delim('['):
		return yamlNodes(d, &yaml.Node{Kind: yaml.SequenceNode})
	}
	scalar := &yaml.Node{}
	if number, ok := token.(json.Number); ok {
		scalar.Kind, scalar.Value = yaml.ScalarNode, number.String()
		return scalar, nil
	}
	err = scalar.Encode(token)
	return scalar, err
}

// yamlNodes reads what is in an object or array up to its end. An object's
// names and values follow each other in both forms.
func yamlNodes(d *json.Decoder, into *yaml.Node) (*yaml.Node, error) {
	for d.More() {
		item, err := yamlNode(d)
		if err != nil {
			return nil, err
		}
		into.Content = append(into.Content, item)
	}
	if len(into.Content) == 0 {
		into.Style = yaml.FlowStyle // {} and [] have no other
	}
	_, err := d.Token()
	return into, err
}

// printable escapes what a terminal could take for more than text: what is
// shown here is partly the client's own.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) < 0 {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
