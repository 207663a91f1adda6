//go:build !race

package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// How often the proof asks each rule that runs away: `make proof` asks for more.
var runawayRounds = flag.Int("runaways", 3, "how often each rule that runs away is asked")

const (
	runawayBudget = 20 * time.Millisecond
	// runawayGrace is what an evaluation may take beyond its budget.
	runawayGrace = 10 * time.Millisecond
	// runawayMemory is what a process may have at most that asks such a rule.
	runawayMemory = 256 << 20
	// runawayName tells a child process which rule it asks.
	runawayName = "POSTERN_TEST_RUNAWAY"
)

// ranAway is what a child measured of one rule.
type ranAway struct {
	// Wall and CPU are the times of the goroutine's own thread, in order.
	Wall, CPU []time.Duration
	// Idle is how late a loop that only looks at the clock notices the end of
	// its budget: the machine's own part.
	Idle []time.Duration
	// Allocated is the most that one evaluation took, Peak what the process had.
	Allocated, Peak uint64
	// Answer is how the last one ended.
	Answer string
}

// TestRunawayChild asks one rule; it runs in a process of its own.
func TestRunawayChild(t *testing.T) {
	text, found := allRunaways()[os.Getenv(runawayName)]
	if !found {
		return // TestProofOfRunaways asks for it, by a name
	}
	runtime.LockOSThread()
	s := embedded(t, merged(module(text), map[string]string{"data.json": wide()}), func(o *policy.Options) { o.Timeout = runawayBudget })
	var got ranAway
	for range *runawayRounds {
		got.ask(s)
		got.Idle = append(got.Idle, lateness())
	}
	slices.Sort(got.Wall)
	slices.Sort(got.CPU)
	slices.Sort(got.Idle)
	got.Peak = peakMemory(t)
	report, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\n%s%s\n", reportMark, report)
}

const reportMark = "ran away: "

func (r *ranAway) ask(s *policy.Snapshot) {
	allocated, cpu, start := allocatedBytes(), threadTime(), time.Now()
	d, err := s.Decide(context.Background(), question())
	r.Wall = append(r.Wall, time.Since(start))
	r.CPU = append(r.CPU, threadTime()-cpu)
	r.Allocated = max(r.Allocated, allocatedBytes()-allocated)
	r.Answer = fmt.Sprintf("allowed %v, %v", d.Allowed, err)
}

// lateness is by how much a busy loop misses the end of a budget.
func lateness() time.Duration {
	end := time.Now().Add(runawayBudget)
	for time.Now().Before(end) {
	}
	return time.Since(end)
}

// threadTime is the CPU time of this thread, which other programs don't add to.
func threadTime() time.Duration {
	var used syscall.Rusage
	const thread = 1 // RUSAGE_THREAD, getrusage(2)
	if err := syscall.Getrusage(thread, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// peakMemory is the most memory that this process has had.
func peakMemory(t *testing.T) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("memory is read from Linux's /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestProofOfRunaways holds that what runs away ends soon after its budget and
// takes a bounded part of the memory. Times are others with the race detector, so
// that it is no part of what is built with it. What fails it is the CPU time of the best
// of several tries, which a busy machine does not make longer; the wall time
// stands beside it, for people.
func TestProofOfRunaways(t *testing.T) {
	names := slices.Sorted(maps.Keys(allRunaways()))
	t.Logf("%-34s %9s %9s %9s %9s %9s  (budget %v)", "", "wall p50", "wall p99", "idle p99", "CPU", "memory", runawayBudget)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			got := runAway(t, name)
			at := func(times []time.Duration, part float64) string {
				return fmt.Sprintf("%.1f ms", times[int(float64(len(times)-1)*part)].Seconds()*1000)
			}
			t.Logf("%-34s %9s %9s %9s %9s %6d MB  %s", name, at(got.Wall, 0.5), at(got.Wall, 0.99), at(got.Idle, 0.99), at(got.CPU, 0), got.Peak>>20, got.Answer)
			if strings.HasPrefix(got.Answer, "allowed true") {
				t.Error("it is allowed")
			}
			if best := got.CPU[0]; best > runawayBudget+runawayGrace {
				t.Errorf("the shortest of %d took %v of CPU time", len(got.CPU), best)
			}
			if got.Peak > runawayMemory {
				t.Errorf("the process had %d MiB", got.Peak>>20)
			}
		})
	}
}

// runAway asks a rule in a process of its own: what ends the process, or never
// ends, ends that one.
func runAway(t *testing.T, name string) (got ranAway) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestRunawayChild$", "-runaways", fmt.Sprint(*runawayRounds))
	child.Env = append(os.Environ(), runawayName+"="+name)
	out, err := child.CombinedOutput()
	_, report, found := bytes.Cut(out, []byte(reportMark))
	line, _, _ := bytes.Cut(report, []byte("\n"))
	if err != nil || !found {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	return got
}
