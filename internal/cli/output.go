package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// output is the form of an answer: text for people or JSON for machines.
type output string

// The forms.
const (
	text   output = "text"
	asJSON output = "json"
)

func outputFlag(cmd *cobra.Command) *output {
	o := text
	cmd.Flags().VarP(&o, "output", "o", "text, or json for machines")
	return &o
}

// String implements pflag.Value.
func (o *output) String() string { return string(*o) }

// Type implements pflag.Value.
func (*output) Type() string { return "form" }

// Set implements pflag.Value.
func (o *output) Set(s string) error {
	if s != string(text) && s != string(asJSON) {
		return fmt.Errorf("%q is not a form; expected text or json", s)
	}
	*o = output(s)
	return nil
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
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
