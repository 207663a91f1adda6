package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postern-authz/postern/bench/load"
	"github.com/postern-authz/postern/bench/program"
)

const (
	// manyRules are in the file that is edited.
	manyRules = 1000
	// editBar is the most that an edit may take until it decides, in 99 of 100.
	editBar = 200 * time.Millisecond
	// editEnds bounds the wait for one edit.
	editEnds = 20 * time.Second
	// numberHeader is what a decision tells of the edit that it was made by.
	numberHeader = "x-edit"
)

// manyPolicy is the policy of the edit of that number.
func manyPolicy(number int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "package bench.many\n\nimport rego.v1\n\nallow := {\"allowed\": granted, \"headers\": {%q: \"%d\"}}\n\ndefault granted := false\n\n", numberHeader, number)
	for i := range manyRules {
		fmt.Fprintf(&text, "granted if {\n\tinput.attributes.request.http.method == \"GET\"\n\tinput.parsed_path[0] == \"many\"\n\t\"role-%d\" in input.identity.roles\n}\n\n", i)
	}
	text.WriteString("granted if \"reader\" in input.identity.roles\n")
	return text.String()
}

// editKind is a way to save a file.
type editKind struct {
	name string
	save func(path, text string) error
	// took are the times until an edit decided, the shortest first.
	took []time.Duration
}

func editKinds() []*editKind {
	return []*editKind{
		{name: "renamed into place", save: saveByRename},
		{name: "written in place", save: func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }},
	}
}

func saveByRename(path, text string) error {
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// seen waits for decisions of an edit.
type seen struct {
	mu     sync.Mutex
	number int
	at     time.Time
	news   chan struct{}
}

// judge notes the first decision of each edit.
func (s *seen) judge(answer *load.CheckResponse) error {
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if h.GetHeader().GetKey() != numberHeader {
			continue
		}
		number, err := strconv.Atoi(h.GetHeader().GetValue())
		if err != nil {
			return err
		}
		s.note(number)
		return nil
	}
	return fmt.Errorf("an answer without the number of the edit: %s", answer)
}

func (s *seen) note(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number <= s.number {
		return
	}
	s.number, s.at = number, time.Now()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await returns when the first decision of that edit was seen.
func (s *seen) await(ctx context.Context, number int) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, editEnds)
	defer cancel()
	for {
		s.mu.Lock()
		reached, at := s.number >= number, s.at
		s.mu.Unlock()
		if reached {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return at, fmt.Errorf("edit %d decides nothing: %w", number, ctx.Err())
		case <-s.news:
		}
	}
}

// edited measures how long an edit of a thousand rules takes, from its being
// saved to the first decision by it, while clients ask.
func edited(ctx context.Context, s settings, root, dir string, progress io.Writer) (_ []*editKind, err error) {
	p, folder, err := startEdited(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	fmt.Fprintf(progress, "%d edits of each kind\n", s.edits)
	live, ended := &seen{news: make(chan struct{}, 1)}, make(chan error, 1)
	asking, stop := context.WithCancelCause(ctx)
	go func() {
		err := askOn(asking, p, live)
		stop(err) // a wrong answer ends the wait for an edit
		ended <- err
	}()
	kinds, err := editAll(asking, s.edits, filepath.Join(folder, "many.rego"), live)
	stop(nil)
	if err = errors.Join(err, <-ended); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, p.LastWords())
	}
	return kinds, nil
}

// askOn asks until ctx ends.
func askOn(ctx context.Context, p *program.Program, live *seen) error {
	question := load.Question{Method: "GET", Path: "/many/42", Header: "x-api-key", Value: key}
	const turn = 1000
	for first := 0; ctx.Err() == nil; first += turn {
		ask := func(i int) *load.CheckRequest { return question.Check(first + i) }
		if _, err := p.Checks.Stroll(ctx, load.Connections, turn, pause, ask, live.judge); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func startEdited(ctx context.Context, root, dir string) (*program.Program, string, error) {
	at, err := program.FreeAddresses()
	if err != nil {
		return nil, "", err
	}
	folder := filepath.Join(dir, "edited")
	config, err := writeConfig(filepath.Join(root, "deploy", "example"), folder, at)
	if err != nil {
		return nil, "", err
	}
	policies := filepath.Join(folder, "policies")
	if err := os.WriteFile(filepath.Join(policies, "many.rego"), []byte(manyPolicy(0)), 0o600); err != nil {
		return nil, "", err
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, "", err
	}
	const route = "\nroutes:\n  - name: many\n    match: {paths: [\"/many/{id}\"]}\n    policy: bench/many/allow\n"
	changed := strings.Replace(string(text), "\nroutes:\n", route, 1)
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		return nil, "", err
	}
	p, err := program.Start(ctx, dir, "postern", at, nil, "serve", "--config", config)
	return p, policies, err
}

func editAll(ctx context.Context, edits int, path string, live *seen) ([]*editKind, error) {
	kinds, number := editKinds(), 0
	for i := range edits {
		for _, kind := range kinds {
			number++
			text := manyPolicy(number)
			// As people save: now and then, not in step with anything.
			time.Sleep(time.Duration(150+(i*37)%100) * time.Millisecond)
			if err := kind.save(path, text); err != nil {
				return kinds, err
			}
			saved := time.Now()
			at, err := live.await(ctx, number)
			if err != nil {
				return kinds, fmt.Errorf("%s: %w", kind.name, err)
			}
			kind.took = append(kind.took, max(0, at.Sub(saved)))
		}
	}
	for _, kind := range kinds {
		slices.Sort(kind.took)
	}
	return kinds, nil
}

// slowest is the time that 99 of 100 edits are within.
func (k *editKind) slowest() float64 {
	if len(k.took) == 0 {
		return math.NaN() // is within no bar
	}
	return at(k.took, 0.99)
}

func editsWithin(kinds []*editKind) bool {
	return !slices.ContainsFunc(kinds, func(k *editKind) bool { return !(k.slowest() <= editBar.Seconds()) })
}

// editTable shows how long edits take, in Markdown that reads on a terminal too.
func editTable(kinds []*editKind) string {
	var b strings.Builder
	const line = "| %-38s | %6s | %6s | %6s | %8s |\n"
	fmt.Fprintf(&b, line, "an edit of 1,000 rules decides after", "p50", "p99", "most", "bar, p99")
	fmt.Fprintf(&b, line, "---", "---:", "---:", "---:", "---:")
	for _, k := range kinds {
		if len(k.took) > 0 {
			fmt.Fprintf(&b, line, k.name, milliseconds(at(k.took, 0.5)), milliseconds(k.slowest()), milliseconds(at(k.took, 1)), "≤ "+milliseconds(editBar.Seconds()))
		}
	}
	return b.String()
}

func milliseconds(seconds float64) string { return fmt.Sprintf("%.0f ms", 1000*seconds) }
