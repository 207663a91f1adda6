package cases_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/cases"
	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// seen is what a door answered, in words that all doors share.
type seen struct {
	// status is the verdict's; of nginx's profile it is the one that was meant.
	status int
	// header is for the upstream on an allow and for the client on a denial.
	header http.Header
	body   string
	// removed and route are gRPC's alone.
	removed []string
	route   string
	// head is an answer to HEAD, which has no body.
	head bool
	// bare is a 400 by the HTTP server itself, which knows no codes.
	bare bool
}

// ask sends a request through one door.
type ask func(t *testing.T, r *cases.Ready) seen

// TestEveryCaseThroughEveryDoor runs the program on deploy/example. All doors
// must give the same verdict, code and identity.
func TestEveryCaseThroughEveryDoor(t *testing.T) {
	runCases(t, nil, 1)
}

// TestCacheMakesNoDifference sends every case again where nothing is
// remembered, and twice where what the first answer left is remembered.
func TestCacheMakesNoDifference(t *testing.T) {
	t.Run("off", func(t *testing.T) {
		runCases(t, [][2]string{{"max_memory: 64MiB", "max_memory: 0"}}, 1)
	})
	t.Run("warm", func(t *testing.T) {
		runCases(t, nil, 2)
	})
}

// runCases sends every case through every door so many times, under the example
// with some edits.
func runCases(t *testing.T, edits [][2]string, times int) {
	t.Helper()
	for setup, edit := range cases.Setups() {
		t.Run("setup "+setup, func(t *testing.T) {
			dir := harness.Example(t)
			for _, e := range append(edits, edit) {
				harness.Edit(t, dir+"/postern.yaml", e[0], e[1])
			}
			runSetup(t, harness.StartPostern(t, dir), setup, times)
		})
	}
}

func runSetup(t *testing.T, postern *harness.Postern, setup string, times int) {
	t.Helper()
	all, err := cases.Load()
	if err != nil {
		t.Fatal(err)
	}
	maker, err := cases.NewMaker("../keys", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	doors := map[cases.Door]ask{"grpc": grpcDoor(t, postern.GRPC), "opa": opaDoor(postern.HTTP)}
	for _, door := range cases.Doors() {
		if doors[door] == nil {
			doors[door] = httpDoor(postern.HTTP, string(door))
		}
	}
	for i := range all {
		c := &all[i]
		if c.Setup != setup {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			for _, door := range cases.Doors() {
				if c.Through(door) {
					t.Run(string(door), func(t *testing.T) { send(t, maker, c, door, doors[door], times) })
				}
			}
		})
	}
}

// send makes the request anew each time, for what it signs holds once.
func send(t *testing.T, maker *cases.Maker, c *cases.Case, door cases.Door, ask ask, times int) {
	t.Helper()
	for range times {
		r, err := maker.Make(&c.Request)
		if err != nil {
			t.Fatal(err)
		}
		check(t, door, &c.Expect, ask(t, r))
		if c.Again != nil {
			check(t, door, c.Again, ask(t, r))
		}
	}
}

func check(t *testing.T, door cases.Door, want *cases.Expect, got seen) {
	t.Helper()
	if got.status != want.Status {
		t.Fatalf("status %d, want %d: %v %s", got.status, want.Status, got.header, got.body)
	}
	if got.bare {
		return
	}
	if got.header.Get("X-Decision-Id") == "" {
		t.Error("no decision id")
	}
	if want.Status == http.StatusOK {
		checkAllow(t, door, want, got)
	} else {
		checkDenial(t, want, got)
	}
}

func checkAllow(t *testing.T, door cases.Door, want *cases.Expect, got seen) {
	t.Helper()
	upstream := map[string]string{"X-Consumer-Username": want.Consumer, "X-Credential-Identifier": want.Credential}
	for name, value := range want.Upstream {
		upstream[name] = value
	}
	for name, value := range upstream {
		lines, there := got.header[http.CanonicalHeaderKey(name)]
		cleared := value == "" && slices.Contains(got.removed, strings.ToLower(name))
		if !cleared && (!there || !slices.Equal(lines, []string{value})) {
			t.Errorf("%s is %q, want %q", name, lines, value)
		}
	}
	for _, name := range want.Kept {
		if _, told := got.header[http.CanonicalHeaderKey(name)]; told || slices.Contains(got.removed, name) {
			t.Errorf("%s is not left as it is: %q", name, got.header)
		}
	}
	if door != "grpc" {
		return
	}
	for _, name := range want.Removed {
		if !slices.Contains(got.removed, name) {
			t.Errorf("%s stays: removed are %q", name, got.removed)
		}
	}
	if want.Route != "" && got.route != want.Route {
		t.Errorf("route %q, want %q", got.route, want.Route)
	}
}

func checkDenial(t *testing.T, want *cases.Expect, got seen) {
	t.Helper()
	if code := got.header.Get("X-Postern-Code"); code != want.Code {
		t.Errorf("code %q, want %q: %s", code, want.Code, got.body)
	}
	if challenge := challenges(got.header["Www-Authenticate"]); want.Challenge != nil && !slices.Equal(challenge, want.Challenge) {
		t.Errorf("challenge %q, want %q", challenge, want.Challenge)
	}
	if want.Status != http.StatusUnauthorized && got.header["Www-Authenticate"] != nil {
		t.Error("a challenge without a 401")
	}
	for name, value := range want.Headers {
		if got.header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
		}
	}
	switch {
	case got.head:
	case want.Body != "" && got.body != want.Body:
		t.Errorf("body %q, want %q", got.body, want.Body)
	case want.Body == "" && !strings.Contains(got.body, `"code":"`+want.Code+`"`):
		t.Errorf("body %q, want the code %q in it", got.body, want.Code)
	}
	for name := range got.header {
		if strings.HasPrefix(name, "X-Consumer") || strings.HasPrefix(name, "X-Credential") {
			t.Errorf("a denial tells the client %s", name)
		}
	}
}

// challenges are the lines as a case writes them: the scheme, and the error if
// there is one.
func challenges(lines []string) []string {
	var short []string
	for _, line := range lines {
		word, _, _ := strings.Cut(line, " ")
		if _, fault, ok := strings.Cut(line, `error="`); ok {
			fault, _, _ = strings.Cut(fault, `"`)
			word += " " + fault
		}
		short = append(short, word)
	}
	return short
}
