package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/admin"
)

// report is what the admin API answered, in all the forms that it may be asked
// for in.
type report struct {
	// message is for machines, as the API's JSON has it.
	message proto.Message
	// text is for people.
	text []body
	// alone are what --quiet prints, one a line: a key, names or ids.
	alone []string
	// notes go to standard error, which scripts don't read answers from.
	notes []string
	// negative: the answer is no.
	negative bool
}

// write writes the report, and returns its exit code.
func (r *report) write(cmd *cobra.Command, form output, quiet bool) error {
	if err := r.answer(cmd.OutOrStdout(), form, quiet); err != nil {
		return no(fmt.Errorf("it was asked, and what was to be done is done, but the answer could not be written: %w", err))
	}
	if !quiet {
		for _, note := range r.notes {
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "postern: "+printable(note)) // there is nowhere else to tell
		}
	}
	if r.negative {
		return no(nil)
	}
	return nil
}

func (r *report) answer(w io.Writer, form output, quiet bool) error {
	switch {
	case quiet:
		for _, word := range r.alone {
			if _, err := fmt.Fprintln(w, printable(word)); err != nil {
				return err
			}
		}
		return nil
	case form != text && r.message != nil:
		document, err := admin.MarshalJSON(r.message)
		if err != nil {
			return err
		}
		return form.write(w, json.RawMessage(document))
	case form != text:
		return nil
	}
	for _, part := range r.text {
		if err := part.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}

// told is a report of a change that a sentence says enough of.
func told(message proto.Message, name, format string, args ...any) *report {
	return &report{message: message, text: []body{sentence(fmt.Sprintf(format, args...))}, alone: []string{name}}
}
