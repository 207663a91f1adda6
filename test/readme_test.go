// Package test holds what needs the whole program. This file runs the commands
// of the README, so that they work for whoever copies them.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestREADME runs every block of README.md that is marked so:
//
//	```console runnable    lines after "$ " are commands, the others what they print;
//	                       "…" stands for anything
//	```sh runnable         a script that must succeed
//
// against a Postern on a copy of deploy/example. The default addresses in them
// become those of that Postern, and its configuration the copy.
func TestREADME(t *testing.T) {
	root := harness.Root(t)
	blocks := runnable(harness.Read(t, filepath.Join(root, "README.md")))
	if len(blocks) == 0 {
		t.Fatal("README.md has no block marked runnable")
	}
	example := harness.Example(t)
	postern := harness.StartPostern(t, example)
	addresses := strings.NewReplacer("deploy/example/postern.yaml", filepath.Join(example, "postern.yaml"), "127.0.0.1:9191", postern.GRPC, "127.0.0.1:9192", postern.HTTP, "127.0.0.1:9193", postern.Admin,
		"localhost:9191", postern.GRPC, "localhost:9192", postern.HTTP, "localhost:9193", postern.Admin)
	for _, b := range blocks {
		for _, c := range b.commands() {
			t.Run(fmt.Sprintf("line %d", c.line), func(t *testing.T) {
				c.text, c.prints = addresses.Replace(c.text), addresses.Replace(c.prints)
				c.run(t, root)
			})
		}
	}
}

// block is a fenced block of a page.
type block struct {
	language, text string
	line           int
}

// runnable finds the blocks whose fence says so. Lines count from 1.
func runnable(page string) []block {
	var blocks []block
	var open *block
	for i, line := range strings.Split(page, "\n") {
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			fields := strings.Fields(info)
			open = &block{line: i + 2}
			if len(fields) == 2 && fields[1] == "runnable" {
				open.language = fields[0]
			}
		case fence:
			if open.language != "" {
				blocks = append(blocks, *open)
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return blocks
}

// command is what to run, and what of its output the page shows.
type command struct {
	text, prints string
	line         int
}

func (b block) commands() []command {
	if b.language != "console" {
		return []command{{text: b.text, line: b.line}}
	}
	var commands []command
	continued := false
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		text, starts := strings.CutPrefix(line, "$ ")
		switch last := len(commands) - 1; {
		case starts:
			commands = append(commands, command{text: text, line: b.line + i})
		case last < 0: // output before any command
			continue
		case continued:
			commands[last].text += "\n" + line
		default:
			commands[last].prints += line + "\n"
		}
		continued = (starts || continued) && strings.HasSuffix(line, `\`)
	}
	return commands
}

func (c command) run(t *testing.T, root string) {
	t.Helper()
	if err := c.try(t, root, ""); err != nil {
		t.Error(err)
	}
}

// try runs the command in a folder, after what sets its variables.
func (c command) try(t *testing.T, folder, exports string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", exports+c.text) // #nosec G204 -- the page's commands
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PATH="+strings.Join([]string{
		filepath.Dir(harness.Binary(t)), filepath.Join(harness.Root(t), ".tools", "bin"), os.Getenv("PATH"),
	}, string(filepath.ListSeparator)))
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s\n%w\n%s", c.text, err, output)
	}
	if missing := missingLine(string(output), c.prints); missing != "" {
		return fmt.Errorf("%s\nprinted\n%s\nwithout the line %q, or not in the page's order", c.text, output, missing)
	}
	return nil
}

// missingLine returns the first line of want that output doesn't hold after the
// ones before it, or "".
func missingLine(output, want string) string {
	lines := strings.Split(strings.ReplaceAll(output, "\r", ""), "\n")
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		for line != "" && len(lines) > 0 && !pattern.MatchString(strings.TrimSpace(lines[0])) {
			lines = lines[1:]
		}
		if line != "" && len(lines) == 0 {
			return line
		}
	}
	return ""
}

func TestRunnable(t *testing.T) {
	page := "text\n```console runnable\n$ echo a \\\n  b\na b\n$ echo c\n```\n```sh\nno\n```\n```sh runnable\ntrue\nfalse\n```\n"
	var got []command
	for _, b := range runnable(page) {
		got = append(got, b.commands()...)
	}
	want := []command{
		{text: "echo a \\\n  b", prints: "a b\n", line: 3}, {text: "echo c", line: 6}, {text: "true\nfalse\n", line: 12},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMissingLine(t *testing.T) {
	for _, c := range []struct{ output, want, missing string }{
		{"a\r\nb\nc\n", "a\nc\n", ""},
		{"a\nb\n", "b\na\n", "a"},
		{"HTTP/1.1 200 OK\nX-Id: 77\n", "HTTP/1.1 200 …\nX-Id: …\n", ""},
		{"HTTP/1.1 403 Forbidden\n", "HTTP/1.1 200 …\n", "HTTP/1.1 200 …"},
		{"ab\n", "a\n", "a"},
		{"", "", ""},
	} {
		if got := missingLine(c.output, c.want); got != c.missing {
			t.Errorf("missingLine(%q, %q) = %q, want %q", c.output, c.want, got, c.missing)
		}
	}
}
