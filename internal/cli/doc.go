// Package cli is the command line: it turns words into calls of serve, and what
// comes back into text for people or JSON for machines, and an exit code: 0 is
// yes, 1 is no, 2 is a question that could not be asked.
package cli
