package importer

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// limits are the plugins that count requests, and how each becomes part of a
// plan.
var limits = map[string]func(*limiting, field){
	"limit-count":            (*limiting).count,
	"limit-req":              (*limiting).leaky,
	"limit-conn":             (*limiting).connections,
	"rate-limiting":          (*limiting).kong,
	"rate-limiting-advanced": (*limiting).kongAdvanced,
}

func isLimit(name string) bool { return limits[name] != nil }

// limiting is a plan that is being read.
type limiting struct {
	*reader
	consumer.Plan
}

// limited returns the plan that limit plugins amount to, or "" if they limit
// nothing. The plan of one source is read once.
func (r *reader) limited(source, name string, list []plugin) string {
	if p, ok := r.plans[source]; ok {
		return p.Name
	}
	l := &limiting{reader: r, Plan: consumer.Plan{Name: r.planName(source, name)}}
	r.plans[source] = &l.Plan
	for _, p := range list {
		if read := limits[p.name]; read != nil && !p.disabled {
			read(l, p.at)
		}
	}
	if len(l.Rates)+len(l.Quotas) == 0 {
		l.Name = ""
		return ""
	}
	r.note(Comes, "plan", l.Name, "", list[0].at.place(), "")
	return l.Name
}

// planName is a name that no other plan of this import has in any case.
func (r *reader) planName(source, name string) string {
	name = validName(name)
	if _, free := r.take("plan\x00"+lower(name), place{}); !free {
		name = distinct(name + "\x00" + source)
	}
	return name
}

func (l *limiting) changes(at field, format string, args ...any) {
	l.note(Changes, "plan", l.Name, "", at.place(), format, args...)
}

func (l *limiting) cannot(at field, format string, args ...any) {
	l.note(Cannot, "plan", l.Name, "", at.place(), format, args...)
}

// count reads APISIX's limit-count: so many requests in a fixed window.
func (l *limiting) count(at field) {
	count, window := at.at("count"), at.at("time_window")
	if !count.isNumber() || !window.isNumber() {
		l.cannot(at, "limit-count whose count or time_window is no number can't become a limit of a plan")
		return
	}
	if l.rate(at, count.whole(), window.number(), count.whole()) {
		l.changes(at, "limit-count: %d in a window of %gs, counted for each consumer alone and whatever its key; the answer is 429", count.whole(), window.number())
	}
}

// leaky reads APISIX's limit-req: so many a second, and so many that wait.
func (l *limiting) leaky(at field) {
	rate, burst := at.at("rate"), at.at("burst")
	if !rate.isNumber() || !burst.isNumber() || rate.number() <= 0 {
		l.cannot(at, "limit-req whose rate or burst is no number can't become a limit of a plan")
		return
	}
	count, period := math.Round(rate.number()), 1.0
	if count < 1 {
		count, period = 1, 1/rate.number()
	}
	if l.rate(at, int64(count), period, int64(count+burst.number())) {
		l.changes(at, "limit-req: %g a second and a burst of %g, answered at once and not held back, counted for each consumer alone", rate.number(), burst.number())
	}
}

func (l *limiting) connections(at field) {
	l.cannot(at, "limit-conn counts requests under way, which only the gateway knows; keep it there")
}

// kong reads Kong's rate-limiting: counts in calendar periods.
func (l *limiting) kong(at field) {
	read := 0
	for _, period := range []struct {
		name    string
		seconds float64
	}{{"second", 1}, {"minute", 60}} {
		if n := at.at(period.name); n.has() && l.rate(n, n.whole(), period.seconds, n.whole()) {
			read++
		}
	}
	for _, period := range []string{"hour", "day", "month", "year"} {
		if n := at.at(period); n.has() && n.whole() > 0 {
			l.Quotas = append(l.Quotas, consumer.Quota{Count: n.whole(), Period: period, Hard: true})
			read++
		}
	}
	if read == 0 {
		l.cannot(at, "rate-limiting limits nothing that can be read")
		return
	}
	l.changes(at, "rate-limiting: seconds and minutes are rates that refill evenly, longer periods are quotas; counted for each consumer, whatever limit_by says")
}

// kongAdvanced reads pairs of limit and window_size.
func (l *limiting) kongAdvanced(at field) {
	counts, windows := at.at("limit").items(), at.at("window_size").items()
	if len(counts) == 0 || len(counts) != len(windows) {
		at.problem("expected as many window_size as limit, and one at least")
		return
	}
	good := true
	for i := range counts {
		good = l.rate(counts[i], counts[i].whole(), windows[i].number(), counts[i].whole()) && good
	}
	if good {
		l.changes(at, "rate-limiting-advanced: each window is a rate that refills evenly; counted for each consumer, whatever identifier says")
	}
}

// longestRate is the longest period of a rate in seconds; longer ones are
// quotas of a calendar period.
const longestRate = 24 * 3600

// calendar are the quotas' periods for what is longer.
var calendar = []struct {
	period      string
	least, most float64 // in days
}{{"week", 7, 7}, {"month", 28, 31}, {"year", 365, 366}}

// rate adds a limit of a period in seconds.
func (l *limiting) rate(at field, count int64, seconds float64, burst int64) bool {
	if count < 1 || burst < 0 || burst > maxNumber || !(seconds >= 0.001) {
		l.cannot(at, "a limit of %d in %gs can't be: expected a count of at least 1 in at least 0.001 s", count, seconds)
		return false
	}
	if seconds <= longestRate {
		l.Rates = append(l.Rates, consumer.Rate{Count: count, Period: time.Duration(seconds * float64(time.Second)), Burst: burst})
		return true
	}
	for _, c := range calendar {
		if days := seconds / longestRate; days >= c.least && days <= c.most {
			l.Quotas = append(l.Quotas, consumer.Quota{Count: count, Period: c.period, Hard: true})
			l.changes(at, "a window of %gs becomes a quota of a calendar %s", seconds, c.period)
			return true
		}
	}
	l.cannot(at, "a window of %gs can't be: expected at most a day, a week, 28 to 31 days or a year", seconds)
	return false
}

// limit puts a consumer on a plan: one of its own where it has limits of its
// own, beside those of the group that its own do not replace; else the group's.
func (d *draft) limit(own []plugin, g *group) {
	own = slices.DeleteFunc(slices.Clone(own), func(p plugin) bool { return !isLimit(p.name) || p.disabled })
	switch {
	case len(own) == 0 && g == nil:
	case len(own) == 0:
		d.Plan = d.limited("group\x00"+g.id, g.id, g.plugins)
	default:
		if g != nil {
			own = append(own, inherited(own, g.plugins)...)
		}
		d.Plan = d.limited("consumer\x00"+d.Name, d.Name+"-limits", own)
	}
}

// inherited are the limits of a group that a consumer's own do not replace.
func inherited(own, of []plugin) []plugin {
	replaced := map[string]bool{}
	for _, p := range own {
		replaced[p.name] = true
	}
	return slices.DeleteFunc(slices.Clone(of), func(p plugin) bool {
		return replaced[p.name] || p.disabled || !isLimit(p.name)
	})
}

// addresses takes an allow-list of networks as the consumer's constraint.
func (d *draft) addresses(allow, deny field) {
	if deny.has() && len(deny.items()) > 0 {
		d.lost(deny, "ip-restriction", "addresses that are refused can't be a constraint: THE CONSUMER IS NO LONGER KEPT FROM THEM; let policy or the gateway refuse them")
	}
	list := allow.texts()
	if len(list) == 0 {
		return
	}
	for i, text := range list {
		if !isNetwork(text) {
			d.cannot(allow, "item %d of its allowed addresses is no network, and leaving it out would open or close a door", i+1)
		}
	}
	d.Constraints = &rules.Constraints{Addresses: list}
	d.changes(allow, "its allowed addresses are a constraint here, also where the plugin did not run")
}

func isNetwork(text string) bool {
	_, err := netip.ParsePrefix(text)
	_, addrErr := netip.ParseAddr(text)
	return err == nil || addrErr == nil
}
