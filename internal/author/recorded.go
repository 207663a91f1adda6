package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/policy"
)

// Unheld says what of a selection a record does not hold as policy saw it.
func Unheld(selected *policy.Selection, one *journal.Record) ([]string, error) {
	all := notHeld(selected, one.Held)
	altered, err := one.Altered()
	if err != nil {
		return nil, err
	}
	return append(all, notAsSeen(selected, altered)...), nil
}

func notHeld(selected, held *policy.Selection) (all []string) {
	for _, path := range selected.Missing(held) {
		all = append(all, "input."+path.String()+" is not held")
	}
	return all
}

func notAsSeen(selected *policy.Selection, altered []journal.Altered) (all []string) {
	for _, a := range altered {
		if text := "input." + a.Path.String() + " is " + a.How; selected.Reads(a.Path) && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// Find looks for a decision in a journal. Nil: it is not there.
func Find(ctx context.Context, files []string, id string, workers int, problem func(journal.Problem)) (*journal.Record, error) {
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	ctx, found := context.WithCancel(ctx)
	defer found()
	var mu sync.Mutex
	var record *journal.Record
	err = journal.Read(ctx, files, journal.Reading{
		Workers: workers, Only: quoted, Problem: problem,
		Each: func(_ int, r *journal.Record) {
			if r.ID.String() != id {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if record == nil {
				record = r
			}
			found()
		},
	})
	if record != nil {
		return record, nil
	}
	return nil, err
}

// The bounds of what is asked of a journal to measure with.
const (
	mostQuestions = 1000
	mostLookedAt  = 200_000
)

// Recorded are questions of a journal to measure with, picked evenly among its
// first records. What a record does not hold, a question does not have.
func Recorded(ctx context.Context, files []string, problem func(journal.Problem)) ([]*gate.Question, error) {
	looking, enough := context.WithCancel(ctx)
	defer enough()
	pick := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var questions []*gate.Question
	seen := 0
	err := journal.Read(looking, files, journal.Reading{
		Workers: 1, Problem: problem,
		Each: func(_ int, r *journal.Record) {
			if seen++; seen > mostLookedAt {
				enough()
				return
			}
			at := len(questions)
			if at == mostQuestions {
				if at = pick.IntN(seen); at >= mostQuestions {
					return
				}
			}
			q, err := questionOf(r)
			switch {
			case err != nil:
				problem(journal.Problem{File: r.File, Line: r.Line, Text: err.Error()})
			case q == nil:
			case at == len(questions):
				questions = append(questions, q)
			default:
				questions[at] = q
			}
		},
	})
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = nil // there were enough
	}
	return questions, err
}

// recordedInput is policy's input as far as a question is made of it again.
type recordedInput struct {
	Attributes struct {
		Source, Destination recordedPeer
		Request             struct {
			HTTP struct {
				ID, Method, Path, Host, Scheme, Protocol string
				Headers                                  map[string]string
			}
		}
		ContextExtensions map[string]string
	}
	ParsedPath  []string            `json:"parsed_path"`
	ParsedQuery map[string][]string `json:"parsed_query"`
	Consumer    *struct {
		Name, Environment string
		DisplayName       string `json:"display_name"`
		Labels            map[string]string
		Groups, Roles     []string
		Attributes        map[string]any
	}
	Credential *struct {
		ID, Kind string
		Scopes   []string
	}
	Identity struct {
		Claims                map[string]any
		Scopes, Roles, Groups []string
		Issuer                string
	}
	Route struct {
		Name, Path string
		Params     map[string]string
	}
}

type recordedPeer struct {
	Address struct {
		SocketAddress struct {
			Address   string
			PortValue uint16
		}
	}
	Principal, Certificate, Service string
	Labels                          map[string]string
}

func (p *recordedPeer) peer() access.Peer {
	peer := access.Peer{Principal: p.Principal, Certificate: p.Certificate, Service: p.Service, Labels: p.Labels}
	if address, err := netip.ParseAddr(p.Address.SocketAddress.Address); err == nil {
		peer.Address = netip.AddrPortFrom(address, p.Address.SocketAddress.PortValue)
	}
	return peer
}

// questionOf makes the question of a record again, nil where it holds no input.
func questionOf(r *journal.Record) (*gate.Question, error) {
	if len(r.Input) == 0 {
		return nil, nil
	}
	var in recordedInput
	decoder := json.NewDecoder(bytes.NewReader(r.Input))
	decoder.UseNumber()
	if err := decoder.Decode(&in); err != nil {
		return nil, fmt.Errorf("this is no input of a policy: %w", err)
	}
	http := &in.Attributes.Request.HTTP
	q := &gate.Question{
		Route: in.Route.Name, Entrypoint: r.Entrypoint.String(), DecisionID: r.ID.String(),
		Identity: &access.Identity{Claims: in.Identity.Claims, Scopes: in.Identity.Scopes, Roles: in.Identity.Roles, Groups: in.Identity.Groups, Issuer: in.Identity.Issuer},
		Request: &access.Request{
			ID: http.ID, Time: r.Time(), Method: http.Method, Scheme: http.Scheme, Protocol: http.Protocol,
			Host: http.Host, RawHost: http.Host, Path: in.Route.Path, RawPath: http.Path, Query: url.Values(in.ParsedQuery).Encode(),
			Source: in.Attributes.Source.peer(), Destination: in.Attributes.Destination.peer(), Extensions: in.Attributes.ContextExtensions,
		},
	}
	if q.Request.Path == "" {
		q.Request.Path = "/" + strings.Join(in.ParsedPath, "/")
	}
	for name, value := range http.Headers {
		if !strings.HasPrefix(name, ":") {
			q.Request.Headers = append(q.Request.Headers, access.Header{Name: name, Value: value})
		}
	}
	for name, value := range in.Route.Params {
		q.Params = append(q.Params, access.Param{Name: name, Value: value})
	}
	if c := in.Consumer; c != nil {
		q.Identity.Consumer = &access.Consumer{Name: c.Name, DisplayName: c.DisplayName, Environment: c.Environment, Labels: c.Labels, Groups: c.Groups, Roles: c.Roles, Attributes: c.Attributes}
	}
	if c := in.Credential; c != nil {
		q.Identity.Credential = &access.Credential{ID: c.ID, Kind: access.Kind(c.Kind), Scopes: c.Scopes}
	}
	if q.Identity.Consumer != nil && q.Identity.Credential == nil {
		q.Identity.Credential = &access.Credential{}
	}
	return q, nil
}
