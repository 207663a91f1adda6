package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-authz/postern/bench/program"
)

func TestConfigIsTheExampleElsewhere(t *testing.T) {
	dir := t.TempDir()
	at := program.Addresses{GRPC: "127.0.0.1:1", HTTP: "127.0.0.1:2", Admin: "127.0.0.1:3"}
	path, err := writeConfig("../deploy/example", dir, at)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"address: 127.0.0.1:1 ", "address: 127.0.0.1:2 ", "address: 127.0.0.1:3 ", "policy: bench/timed/allow", "- name: health"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, name := range []string{"policies/timed.rego", "policies/plain.rego", "policies/roles.rego", "policies/authz.rego", "consumers/demo.yaml", "jwks.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestConfigOfAnotherShapeIsRefused(t *testing.T) {
	for _, text := range []string{"", "address: 127.0.0.1:9191", "address: 127.0.0.1:9191\naddress: 127.0.0.1:9191"} {
		if _, err := adapt(text, program.Addresses{}); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func TestTokensDiffer(t *testing.T) {
	tokens, err := signTokens("../test/keys/shop-rs256.pem", 3, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[any]bool{}
	for _, text := range tokens {
		claims := jwt.MapClaims{}
		token, _, err := jwt.NewParser().ParseUnverified(text, claims)
		if err != nil || token.Header["kid"] != "shop-rs256" || token.Method.Alg() != "RS256" {
			t.Errorf("%v, header %v", err, token.Header)
		}
		ids[claims["jti"]] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids: %v", ids)
	}
}

func TestReportComparesWithTheFloor(t *testing.T) {
	results := []result{
		{testCase: testCase{name: grpcFloor}, turns: []cost{{cpu: 1, allocations: 10}, {cpu: 2, allocations: 10}}},
		{testCase: testCase{name: "within", floor: grpcFloor, bar: 2}, turns: []cost{{cpu: 2, allocations: 15}, {cpu: 3, allocations: 15}}},
		{testCase: testCase{name: "no bar", floor: grpcFloor}, turns: []cost{{cpu: 9, allocations: 1}, {cpu: 9, allocations: 1}}},
	}
	r := newReport(settings{rounds: 2}, results, []floodRound{{median: 1.1, late: 4, cpu: 0.5}}, nil)
	want := row{name: "within", floor: grpcFloor, bar: 2, cpu: 5.0 / 3, least: 1.5, most: 2, allocations: 1.5, each: 15}
	if len(r.rows) != 2 || r.rows[0] != want {
		t.Fatalf("got %+v, want %+v", r.rows, want)
	}
	if !r.within() {
		t.Error("not within")
	}
	if r := newReport(settings{}, []result{
		{testCase: testCase{name: grpcFloor}, turns: []cost{{cpu: 1}}},
		{testCase: testCase{name: noPolicy, floor: grpcFloor}, turns: []cost{{cpu: 2}}},
		{testCase: testCase{name: "remembered", floor: noPolicy, bar: 1.15}, turns: []cost{{cpu: 2.4}}},
	}, []floodRound{{}}, nil); len(r.rows) != 2 || r.rows[1].cpu != 1.2 || r.within() || !strings.Contains(r.table(), "> 1.15") {
		t.Errorf("a case beside one that is no floor: %+v\n%s", r.rows, r.table())
	}
	for _, text := range []string{r.table(), r.page()} {
		if !strings.Contains(text, "1.67 |   1.50–2.00 |   ≤ 2") {
			t.Errorf("the row is not in\n%s", text)
		}
	}
	for _, bad := range []float64{2.01, math.NaN(), math.Inf(1)} {
		r.rows[0].cpu = bad
		if r.within() {
			t.Errorf("%v is within", bad)
		}
	}
}

func TestFloodHasBars(t *testing.T) {
	for _, tt := range []struct {
		rounds []floodRound
		within bool
	}{
		{[]floodRound{{median: 1.2, late: 9, cpu: 1.3}}, true},
		{[]floodRound{{median: 9, cpu: 9}, {median: 1.2, cpu: 1}, {median: 1.1, cpu: 1.1}}, true}, // one bad round of three
		{[]floodRound{{median: 1.31, cpu: 1}}, false},
		{[]floodRound{{median: 1, cpu: 1.31}}, false},
		{[]floodRound{{median: 1, cpu: math.NaN()}}, false},
		{nil, false},
	} {
		if r := newReport(settings{}, nil, tt.rounds, nil); r.within() != tt.within {
			t.Errorf("%+v: within is %v, want %v", tt.rounds, r.within(), tt.within)
		}
	}
	if took := []time.Duration{1e9, 2e9, 3e9}; at(took, 0.5) != 2 || at(took, 0.99) != 2 || at(took, 1) != 3 {
		t.Error("the parts of sorted times are others")
	}
}

func TestEditsHaveABar(t *testing.T) {
	for _, tt := range []struct {
		took   []time.Duration
		within bool
	}{
		{[]time.Duration{editBar}, true},
		{[]time.Duration{editBar + 1}, false},
		{nil, false},
	} {
		if within := editsWithin([]*editKind{{took: tt.took}}); within != tt.within {
			t.Errorf("%v: within is %v", tt.took, within)
		}
	}
	dir := t.TempDir()
	for _, kind := range editKinds() {
		path := filepath.Join(dir, "many.rego")
		if err := kind.save(path, manyPolicy(7)); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "granted if") != manyRules+1 || !strings.Contains(string(text), `"x-edit": "7"`) {
			t.Errorf("%s: %v", kind.name, err)
		}
	}
}

func TestCasesHaveFloors(t *testing.T) {
	floors := map[string]bool{}
	for _, c := range casesFor(settings{requests: 1, tokens: 1}, make([]string, 1)) {
		if c.floor != "" && !floors[c.floor] {
			t.Errorf("%s stands before its floor %s", c.name, c.floor)
		}
		floors[c.name] = true
	}
}
