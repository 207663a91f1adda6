// Package cli is the command line: it turns words into calls of serve and of the
// admin API, and what comes back into text for people or JSON and YAML for
// machines, and an exit code: 0 is yes, 1 is no, 2 is a question that could not
// be asked.
//
// The commands of administration are tasks (door.go): they ask the admin API,
// over a running instance's admin listener (remote.go) or over the store itself
// in this process (direct.go), and make a report of what it answered. What is
// secret is neither read from the command line nor repeated in an error.
package cli
