package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc, USER_HZ, which Linux fixes at 100.
const tick = 10 * time.Millisecond

// allocations is the metric that counts heap allocations, as the Prometheus
// client's Go collector names it.
const allocations = "go_memstats_mallocs_total"

// Meter reads what a server has spent.
type Meter struct {
	PID int
	// Metrics is the URL of the server's metrics.
	Metrics string
	// scrape is how many allocations one reading costs the server itself.
	scrape float64
}

// Spent is what a server has spent since it began.
type Spent struct {
	// CPU is user and system time of the whole process, in steps of 10 ms.
	CPU         time.Duration
	Allocations float64
}

// Calibrate finds out what a reading costs, so that it isn't counted.
func (m *Meter) Calibrate(ctx context.Context) error {
	m.scrape = 0
	const readings = 8
	var first, last Spent
	for i := range readings + 1 {
		spent, err := m.Read(ctx)
		if err != nil {
			return err
		}
		if i == 0 {
			first = spent
		}
		last = spent
	}
	m.scrape = (last.Allocations - first.Allocations) / readings
	return nil
}

// Measure runs some work and returns what the server spent on it.
func (m *Meter) Measure(ctx context.Context, work func() error) (Spent, error) {
	before, err := m.Read(ctx)
	if err != nil {
		return Spent{}, err
	}
	if err := work(); err != nil {
		return Spent{}, err
	}
	after, err := m.Read(ctx)
	if err != nil {
		return Spent{}, err
	}
	return Spent{
		CPU:         after.CPU - before.CPU,
		Allocations: max(0, after.Allocations-before.Allocations-m.scrape),
	}, nil
}

// Read returns what the server has spent so far.
func (m *Meter) Read(ctx context.Context) (spent Spent, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.PID))
	if err != nil {
		return spent, fmt.Errorf("CPU time is read from Linux's /proc: %w", err)
	}
	if spent.CPU, err = cpuOf(string(stat)); err != nil {
		return spent, err
	}
	spent.Allocations, err = m.readAllocations(ctx)
	return spent, err
}

// Memory is how much memory a process has now, and how much it had at most.
type Memory struct{ Resident, Peak int64 }

// Memory reads what the server has, its program's own pages included.
func (m *Meter) Memory() (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.PID))
	if err != nil {
		return Memory{}, fmt.Errorf("memory is read from Linux's /proc: %w", err)
	}
	return memoryOf(string(status))
}

// memoryOf reads VmRSS and VmHWM of /proc/PID/status, which are in KiB
// (proc_pid_status(5)).
func memoryOf(status string) (m Memory, err error) {
	for name, into := range map[string]*int64{"VmRSS:": &m.Resident, "VmHWM:": &m.Peak} {
		_, rest, _ := strings.Cut(status, "\n"+name)
		number, _, found := strings.Cut(rest, " kB\n")
		if !found {
			return m, fmt.Errorf("/proc/PID/status: no %s", name)
		}
		if *into, err = strconv.ParseInt(strings.TrimSpace(number), 10, 64); err != nil {
			return m, fmt.Errorf("/proc/PID/status: %w", err)
		}
		*into <<= 10
	}
	return m, nil
}

// cpuOf reads utime and stime, the fields 14 and 15 of /proc/PID/stat
// (proc_pid_stat(5)). The second field is the command's name in parentheses and
// may hold anything, so the count begins behind it.
func cpuOf(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat: %d fields behind the name, expected at least 13", len(fields))
	}
	user, userErr := strconv.ParseInt(fields[11], 10, 64)
	system, systemErr := strconv.ParseInt(fields[12], 10, 64)
	if err := errors.Join(userErr, systemErr); err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}

func (m *Meter) readAllocations(ctx context.Context) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Metrics, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	n, err := valueOf(io.LimitReader(res.Body, 16<<20), allocations)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return 0, fmt.Errorf("%s: %w", m.Metrics, err)
	}
	return n, nil
}

// valueOf finds a metric without labels in the Prometheus text format.
func valueOf(metrics io.Reader, name string) (float64, error) {
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("no metric %s", name)
}
