package load

import (
	"strings"
	"testing"
	"time"
)

func TestCPUOfAProcess(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"7 (noop) S 1 7 7 0 -1 4194560 900 0 0 0 12 34 0 0 20 0 9 0 100 1 1":       460 * time.Millisecond,
		"7 (a) b (c) 9) S 1 7 7 0 -1 4194560 900 0 0 0 12 34 0 0 20 0 9 0 100 1 1": 460 * time.Millisecond,
		"7 (noop) S 1 7 7": -1,
		"7 (noop) S 1 7 7 0 -1 4194560 900 0 0 0 x 34": -1,
		"": -1,
	} {
		got, err := cpuOf(stat)
		if want < 0 {
			if err == nil {
				t.Errorf("%q: accepted", stat)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", stat, got, err, want)
		}
	}
}

func TestMemoryOfAProcess(t *testing.T) {
	got, err := memoryOf("Name:\tpostern\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t9\n")
	if err != nil || got != (Memory{Resident: 1 << 20, Peak: 2 << 20}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "Name:\tx\nVmRSS:\t1 kB\n", "Name:\tx\nVmRSS:\t1 kB\nVmHWM:\tx kB\n"} {
		if _, err := memoryOf(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func TestValueOfAMetric(t *testing.T) {
	const text = "# HELP go_memstats_mallocs_total x\n# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total_more 1\ngo_memstats_mallocs_total 1.5e+06\n"
	if got, err := valueOf(strings.NewReader(text), allocations); err != nil || got != 1.5e6 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "go_memstats_mallocs_total many\n", "go_memstats_mallocs_total{a=\"b\"} 1\n"} {
		if _, err := valueOf(strings.NewReader(bad), allocations); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func TestQuestionHasFifteenHeaders(t *testing.T) {
	q := Question{Method: "GET", Path: "/", Header: "authorization", Value: "Bearer x"}
	a, b := q.Check(1), q.Check(2)
	if n := len(a.GetAttributes().GetRequest().GetHttp().GetHeaders()); n != 15 {
		t.Errorf("%d headers", n)
	}
	if a.GetAttributes().GetRequest().GetHttp().GetId() == b.GetAttributes().GetRequest().GetHttp().GetId() {
		t.Error("two questions have one id")
	}
	if h := q.Forward(1); h.Get("Authorization") != "Bearer x" || h.Get("X-Original-Uri") != "/" || h.Get(":path") != "" {
		t.Errorf("%v", h)
	}
}
