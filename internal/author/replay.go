package author

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// ReplayOptions say which decisions another policy is asked for again.
type ReplayOptions struct {
	// Files are those of the journal.
	Files []string
	// Compile makes the new policy with one entry point.
	Compile func(entrypoint string) (*policy.Snapshot, error)
	// Directory is where its files stand, for what is told of its rules.
	Directory string
	// Entrypoints are those whose decisions count; none: all.
	Entrypoints []string
	// Workers are how many records are looked at at once, Examples how many
	// decisions of a group are named.
	Workers, Examples int
	// Problem takes lines that are no records.
	Problem func(journal.Problem)
}

// Replayed is what became of a journal's decisions under another policy.
type Replayed struct {
	// Decisions were looked at: Same are as before, Flipped are not, and Untold
	// can't be told. Malformed are lines that are no decisions.
	Decisions int64 `json:"decisions"`
	Same      int64 `json:"same"`
	Flipped   int64 `json:"flipped"`
	Untold    int64 `json:"untold"`
	Malformed int64 `json:"malformed"`
	// Remembered are those that asked what was asked before.
	Remembered int64 `json:"remembered"`
	// Revisions are those of the new policy, by entry point.
	Revisions map[string]string `json:"revisions"`
	From      time.Time         `json:"from,omitzero"`
	Until     time.Time         `json:"until,omitzero"`
	Files     int               `json:"files"`
	// Flips are the changes, by how many: "allowed → denied", …
	Flips []Count `json:"flips"`
	// Why says what keeps decisions from being told, by how many.
	Why []Count `json:"why_untold"`
	// Groups are the flips, the largest first.
	Groups []*Group `json:"groups"`
	// BlindAnswers says that only whether there are answers beside yes or no was
	// compared: the journal's key is not beside it.
	BlindAnswers bool `json:"blind_answers,omitempty"`

	// clocks are the entry points whose rules ask for the time.
	clocks map[string]bool
}

// The bounds of a replay.
const (
	// maxKnown is how many different questions are remembered.
	maxKnown = 1 << 20
	// maxGroups bounds what is told apart; what comes after counts for "(others)".
	maxGroups = 20_000
)

// replay is one run.
type replay struct {
	ctx     context.Context
	options ReplayOptions
	key     []byte
	blind   bool
	targets sync.Map // entry point → *target
	making  sync.Mutex
	known   [64]shelf
	causes  *causes
}

// shelf is a part of what is remembered.
type shelf struct {
	sync.Mutex
	answers map[[16]byte]answer
}

// answer is what the new policy said.
type answer struct {
	outcome string
	status  int
	digest  string
	reason  *reason
}

// reason is looked for when it is needed first.
type reason struct {
	once sync.Once
	text string
}

// target is an entry point of the new policy.
type target struct {
	entrypoint string
	snapshot   *policy.Snapshot
	selected   *policy.Selection
	steady     bool
	err        error

	// places are the first words on each place of a reason, of each consumer.
	places sync.Map
}

// tally is what one worker counts.
type tally struct {
	Replayed
	flips, why map[string]int64
	groups     map[groupKey]*Group
	missing    map[held][]string
	altered    map[string][]string
	buffer     []byte
}

type held struct {
	target *target
	held   *policy.Selection
}

// Replay asks a policy for each decision of a journal and tells what differs.
func Replay(ctx context.Context, o ReplayOptions) (*Replayed, error) {
	r := &replay{ctx: ctx, options: o, key: journal.Key(o.Files), causes: newCauses()}
	if r.blind = r.key == nil; r.blind {
		r.key = make([]byte, 32)
	}
	for i := range r.known {
		r.known[i].answers = map[[16]byte]answer{}
	}
	tallies := make([]*tally, o.Workers)
	for i := range tallies {
		tallies[i] = &tally{flips: map[string]int64{}, why: map[string]int64{}, groups: map[groupKey]*Group{}, missing: map[held][]string{}, altered: map[string][]string{}}
	}
	var malformed int64
	err := journal.Read(ctx, o.Files, journal.Reading{
		Workers: o.Workers,
		Each:    func(worker int, one *journal.Record) { r.each(tallies[worker], one) },
		Problem: func(p journal.Problem) {
			malformed++
			o.Problem(p)
		},
	})
	if err != nil {
		return nil, err
	}
	all := r.gather(tallies)
	all.Malformed = malformed
	return all, nil
}

// target compiles an entry point when it is met first.
func (r *replay) target(raw journal.Raw) *target {
	name := raw.String()
	if t, met := r.targets.Load(name); met {
		return t.(*target) //nolint:forcetypeassert // nothing else is in it
	}
	r.making.Lock()
	defer r.making.Unlock()
	if t, met := r.targets.Load(name); met {
		return t.(*target) //nolint:forcetypeassert // nothing else is in it
	}
	t := &target{entrypoint: name}
	if t.snapshot, t.err = r.options.Compile(name); t.err == nil {
		t.selected = t.snapshot.Selection(name)
		t.steady = len(t.snapshot.Unremembered(name)) == 0
	}
	r.targets.Store(name, t)
	return t
}

// each looks at one record.
func (r *replay) each(n *tally, one *journal.Record) {
	if len(r.options.Entrypoints) > 0 && !slices.Contains(r.options.Entrypoints, one.Entrypoint.String()) {
		return
	}
	n.Decisions++
	n.seen(one)
	t := r.target(one.Entrypoint)
	if why := n.untold(t, one); len(why) > 0 {
		n.Untold++
		for _, text := range why {
			n.count(n.why, text)
		}
		return
	}
	now, input := r.ask(n, t, one)
	from, to := told(one.Outcome.String(), one.Status), told(now.outcome, now.status)
	if from == to && !r.answersDiffer(one, now) {
		n.Same++
		return
	}
	if from == to {
		from, to = from+" as before", to+" with another answer"
	}
	n.Flipped++
	n.count(n.flips, from+" → "+to)
	key := groupKey{from, to, one.Consumer.String(), one.Route.String(), t.entrypoint, r.reasonOf(t, now, one, input)}
	n.group(key, one, input, r.options.Examples)
}

// told is an outcome with its status where that is not the usual one.
func told(outcome string, status int) string {
	switch {
	case outcome == journal.Denied && status != 403, outcome == journal.Error && status != 503:
		return fmt.Sprintf("%s %d", outcome, status)
	}
	return outcome
}

func (r *replay) answersDiffer(one *journal.Record, now answer) bool {
	if r.blind {
		return (len(one.Answer) == 0) != (now.digest == "")
	}
	return one.Answer.String() != now.digest
}

// seen widens the span of time. A record without a time is in none.
func (n *tally) seen(one *journal.Record) {
	at := one.Time()
	if at.IsZero() {
		return
	}
	if n.From.IsZero() || at.Before(n.From) {
		n.From = at
	}
	if at.After(n.Until) {
		n.Until = at
	}
}

// count keeps the number of different texts bounded.
func (n *tally) count(counts map[string]int64, text string) {
	if _, met := counts[text]; !met && len(counts) >= maxGroups {
		text = "(others)"
	}
	counts[text]++
}

// untold says what of that the new policy reads the record does not hold.
func (n *tally) untold(t *target, one *journal.Record) []string {
	switch {
	case t.err != nil:
		return []string{"the new policy does not answer: " + t.err.Error()}
	case len(one.Input) == 0:
		return []string{"the request could not be read: " + one.Failure.String()}
	}
	h := held{t, one.Held}
	missing, met := n.missing[h]
	if !met {
		missing = notHeld(t.selected, one.Held)
		if len(n.missing) < maxGroups {
			n.missing[h] = missing
		}
	}
	if len(one.Redacted)+len(one.Hashed)+len(one.Omitted) == 0 {
		return missing
	}
	n.buffer = append(append(append(append(append(n.buffer[:0], one.Redacted...), '|'), one.Hashed...), '|'), one.Omitted...)
	n.buffer = append(append(n.buffer, '|'), t.entrypoint...)
	altered, met := n.altered[string(n.buffer)]
	if !met {
		all, err := one.Altered()
		if err != nil {
			return []string{err.Error()}
		}
		altered = notAsSeen(t.selected, all)
		if len(n.altered) < maxGroups {
			n.altered[string(n.buffer)] = altered
		}
	}
	if len(missing) == 0 {
		return altered
	}
	return slices.Concat(missing, altered)
}

// ask gives the new policy's answer, from memory where it was asked the same.
// The input is what it was asked, in the worker's buffer.
func (r *replay) ask(n *tally, t *target, one *journal.Record) (answer, []byte) {
	n.buffer = append(n.buffer[:0], t.entrypoint...)
	n.buffer = append(n.buffer, 0)
	if !t.steady {
		n.buffer = append(n.buffer, one.At...)
	}
	n.buffer = append(n.buffer, 0)
	from := len(n.buffer)
	n.buffer = journal.Project(n.buffer, one.Input, t.selected)
	input := n.buffer[from:]
	sum := sha256.Sum256(n.buffer)
	key := [16]byte(sum[:16])
	shelf := &r.known[binary.LittleEndian.Uint64(sum[16:])%uint64(len(r.known))]
	shelf.Lock()
	known, met := shelf.answers[key]
	shelf.Unlock()
	if met {
		n.Remembered++
		return known, input
	}
	known = r.decide(t, one, input)
	shelf.Lock()
	defer shelf.Unlock()
	if len(shelf.answers) < maxKnown/len(r.known) {
		shelf.answers[key] = known
	}
	return known, input
}

func (r *replay) decide(t *target, one *journal.Record, input []byte) answer {
	d, err := t.snapshot.DecideRecorded(r.ctx, t.entrypoint, journal.Term(input), one.Time())
	a := answer{reason: &reason{}}
	a.outcome, a.status = journal.OutcomeOf(&d, err)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		a.reason.once.Do(func() { a.reason.text = text })
		return a
	}
	a.digest = journal.AnswerOf(r.key, &d)
	return a
}
