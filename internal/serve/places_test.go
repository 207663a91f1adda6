package serve_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// lay writes a file of a house in one step; its folder is made.
func lay(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

const (
	owned  = `{"mobile-app-prod-67a1b2c3": true}`
	nobody = `{}`
)

// TestAllThatIsReadIsWatched: whatever way a file is read, through links and
// patterns of folders too, its change counts.
func TestAllThatIsReadIsWatched(t *testing.T) {
	for name, place := range map[string]struct {
		// data is what policy.data names, rule what refuses mobile.
		data, rule string
		before     func(t *testing.T, dir string)
		change     func(t *testing.T, dir string)
	}{
		"a folder that the policy reads through a link": {
			rule: "data.lists.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) {
				lay(t, dir, "lists/blocked/data.json", nobody)
				link(t, "../lists", dir+"/policies/lists")
			},
			change: func(t *testing.T, dir string) { lay(t, dir, "lists/blocked/data.json", owned) },
		},
		"a file that the policy reads through a link": {
			rule: "data.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) {
				lay(t, dir, "lists/blocked.json", `{"blocked": {}}`)
				link(t, "../lists/blocked.json", dir+"/policies/blocked.json")
			},
			change: func(t *testing.T, dir string) { lay(t, dir, "lists/blocked.json", `{"blocked": `+owned+`}`) },
		},
		"a link that leads round in circles, hidden": {
			rule: "data.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) {
				lay(t, dir, "policies/.old/x", "")
				link(t, "..", dir+"/policies/.old/round")
			},
			change: func(t *testing.T, dir string) { lay(t, dir, "policies/blocked/data.json", owned) },
		},
		"a file of data that is a link": {
			data: "blocked.json", rule: "data.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) {
				lay(t, dir, "lists/blocked.json", nobody)
				link(t, "lists/blocked.json", dir+"/blocked.json")
			},
			change: func(t *testing.T, dir string) { lay(t, dir, "lists/blocked.json", owned) },
		},
		"a new folder of a pattern": {
			data: "data/*/d.json", rule: "data.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) { lay(t, dir, "data/a/d.json", nobody) },
			change: func(t *testing.T, dir string) { lay(t, dir, "data/b/d.json", owned) },
		},
		"a new file in a folder of a pattern": {
			data: "data/*/sub/d*.json", rule: "data.blocked[input.consumer.name]",
			before: func(t *testing.T, dir string) { lay(t, dir, "data/a/sub/readme", "") },
			change: func(t *testing.T, dir string) { lay(t, dir, "data/a/sub/d1.json", owned) },
		},
		"a pattern the folder of which is not there yet": {
			data: "data/later/*.json", rule: "data.blocked[input.consumer.name]",
			change: func(t *testing.T, dir string) { lay(t, dir, "data/later/d.json", owned) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(dir string) {
				if place.before != nil {
					place.before(t, dir)
				}
				if place.data != "" {
					edit(t, dir, "postern.yaml", "policy:\n", "policy:\n  data: [{file: \""+place.data+"\", at: blocked}]\n")
				}
				edit(t, dir, "policies/authz.rego", "denied if {", "denied if "+place.rule+"\n\ndenied if {")
			})
			if status, _ := h.ask(t); status != http.StatusOK {
				t.Fatalf("got %d before the change\n%s", status, h.log)
			}
			time.Sleep(settle) // the load that follows the first watch must not be what sees it
			place.change(t, h.dir)
			until(t, "the change counts", func() bool { status, _ := h.ask(t); return status == http.StatusForbidden })
		})
	}
}

// settle is longer than what serve waits for before it reads what changed.
const settle = 300 * time.Millisecond

// TestAConsumerInAFolderOfAPattern is known as soon as its file is there.
func TestAConsumerInAFolderOfAPattern(t *testing.T) {
	var demo []byte
	h := start(t, func(dir string) {
		edit(t, dir, "postern.yaml", "[consumers/*.yaml]", "[\"consumers/*/*.yaml\"]")
		var err error
		if demo, err = os.ReadFile(filepath.Join(dir, "consumers", "demo.yaml")); err != nil {
			t.Fatal(err)
		}
	})
	if status, _ := h.ask(t); status != http.StatusUnauthorized {
		t.Fatalf("got %d before the consumer is there\n%s", status, h.log)
	}
	time.Sleep(settle)
	lay(t, h.dir, "consumers/team/demo.yaml", string(demo))
	until(t, "the consumer is let through", func() bool { status, _ := h.ask(t); return status == http.StatusOK })
}

// TestHangupAsksForBundles: who sends it need not wait for the next question.
func TestHangupAsksForBundles(t *testing.T) {
	d := newDepot(t, packed(t, "one", lets))
	h := start(t, func(dir string) {
		bundled(d.URL, "")(dir)
		edit(t, dir, "postern.yaml", "every: 100ms", "every: 1h")
	})
	until(t, "the first is in force", func() bool { status, _ := h.ask(t); return status == http.StatusOK })
	d.put(packed(t, "two", stops), false)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the next is in force", func() bool { status, _ := h.ask(t); return status == http.StatusForbidden })
}
