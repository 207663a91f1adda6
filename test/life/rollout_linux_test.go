package life

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

// policyInForce is what the API tells of it.
type policyInForce struct {
	Revision      string `json:"revision"`
	FilesRevision string `json:"files_revision"`
	Shadow        struct {
		Revision string `json:"revision"`
	} `json:"shadow"`
}

// rollouts serves a policy that lets the declared consumer read, beside a
// candidate that does not, with its state in a folder.
func rollouts(t *testing.T, state string) (i *instance, files, candidate string) {
	t.Helper()
	dir := folder(t, onSQLite, "", "")
	harness.Edit(t, filepath.Join(dir, "postern.yaml"), "policy: {timeout: 10s}",
		"policy: {timeout: 10s, directory: policies, shadow: {directory: next}, keep_revisions: 4, state_directory: "+state+"}")
	for name, role := range map[string]string{"policies": "reader", "next": "writer"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		harness.Write(t, filepath.Join(dir, name, "authz.rego"), fmt.Sprintf("package postern.authz\n\ndefault allow := false\n\nallow if %q in input.identity.roles\n", role))
	}
	i = start(t, dir)
	p := i.candidate(t)
	return i, p.Revision, p.Shadow.Revision
}

// candidate waits for the candidate.
func (i *instance) candidate(t *testing.T) (p policyInForce) {
	t.Helper()
	harness.WaitFor(t, "the candidate", func() error {
		i.must(t, http.MethodGet, "/v1/policy", "", &p)
		if p.Shadow.Revision == "" {
			return errors.New("there is none")
		}
		return nil
	})
	return p
}

// TestKilledInPromotion kills the program while policies are promoted and rolled
// back to. What was acknowledged is in force after the start, or else what was
// under way; nothing else, and the start is clean.
func TestKilledInPromotion(t *testing.T) {
	rounds := 20
	if testing.Short() || raceEnabled {
		rounds = 4
	}
	i, files, candidate := rollouts(t, "state")
	c := &changing{instance: i, files: files, candidate: candidate, acknowledged: files}
	for range rounds {
		c.untilKilled(t)
		i.Restart(t)
		p := i.candidate(t)
		if p.Revision != c.acknowledged && p.Revision != c.target() {
			t.Fatalf("in force is %s; acknowledged was %s", p.Revision, c.acknowledged)
		}
		c.acknowledged = p.Revision
		i.is(t, key{ID: "declared-key", Key: fileKey}, map[string]verdict{files: allowed, candidate: {http.StatusForbidden, "denied_by_policy"}}[p.Revision])
	}
	t.Logf("%d rounds, %d changes were acknowledged", rounds, c.changes)
	if c.changes == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// changing changes the policy in force to and fro.
type changing struct {
	*instance
	files, candidate, acknowledged string
	changes                        int
}

func (c *changing) target() string {
	if c.acknowledged == c.files {
		return c.candidate
	}
	return c.files
}

// untilKilled changes the policy until the program is killed in the middle of it.
func (c *changing) untilKilled(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		for {
			if err := c.change(t.Context()); err != nil {
				ended <- err
				return
			}
		}
	}()
	time.Sleep(time.Duration(rand.IntN(60_000)) * time.Microsecond)
	c.Signal(t, syscall.SIGKILL)
	c.Wait(t)
	if err := <-ended; errors.Is(err, errRefused) {
		t.Fatal(err)
	}
}

var errRefused = errors.New("refused")

// change asks for the other policy. No answer is an error too.
func (c *changing) change(ctx context.Context) error {
	path, body := "/v1/policy/promote", ""
	if c.target() == c.files {
		path, body = "/v1/policy/rollback", fmt.Sprintf(`{"revision":%q}`, c.files)
	}
	status, content, err := c.call(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s is %w: %d %s", path, errRefused, status, content)
	}
	c.acknowledged = c.target()
	c.changes++
	return nil
}

// TestPoliciesOnFullDisk: what can't be written is not promoted, what is in force
// stays, and edits go live.
func TestPoliciesOnFullDisk(t *testing.T) {
	disk := mount(t)
	i, _, _ := rollouts(t, filepath.Join(disk, "state"))
	declared := key{ID: "declared-key", Key: fileKey}
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	status, content, err := i.call(t.Context(), http.MethodPost, "/v1/policy/promote", "")
	if err != nil || status != http.StatusInsufficientStorage {
		t.Errorf("%d %s, %v", status, content, err)
	}
	i.is(t, declared, allowed)
	rules := filepath.Join(i.Dir, "policies", "authz.rego")
	harness.Edit(t, rules, "reader", "writer")
	i.becomes(t, declared, verdict{http.StatusForbidden, "denied_by_policy"})
	harness.WaitFor(t, "the log tells of it", func() error {
		if !strings.Contains(i.Output(), "could not be kept") {
			return errors.New("it does not")
		}
		return nil
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	harness.Edit(t, rules, "writer", "reader")
	i.becomes(t, declared, allowed)
	i.must(t, http.MethodPost, "/v1/policy/promote", "", nil)
	if _, content, _ = i.call(t.Context(), http.MethodGet, "/v1/policy/revisions", ""); !json.Valid(content) || !strings.Contains(string(content), `"origin":"shadow"`) {
		t.Errorf("kept: %s", content)
	}
	i.is(t, declared, verdict{http.StatusForbidden, "denied_by_policy"})
}
