package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/gate"
)

// fallback is the default route: what it leaves out is the file's.
func (c *checker) fallback(d *document) gate.Route {
	route := gate.Route{
		Anonymous:  d.Default.Anonymous == anonymousAllow,
		Entrypoint: string(d.Policy.Entrypoint),
	}
	route.Authenticate.Kinds = c.kinds("authentication.order", d.Authentication.Order)
	if c.doc.Has("default.authenticate") {
		route.Authenticate = c.authenticate("default.authenticate", &d.Default.Authenticate, d)
	}
	if c.doc.Has("default.policy") {
		route.Entrypoint = string(d.Default.Policy)
	}
	route.Environments = c.environments("default.environments", d.Default.Environments, d.Consumers.Environments, nil)
	route.MaxStaleness = c.staleness("default.max_staleness", d.Default.MaxStaleness, time.Duration(d.Consumers.MaxStaleness))
	c.open("default", &route)
	return route
}

func (c *checker) routes(d *document, fallback gate.Route) []gate.Route {
	if len(d.Routes) > maxItems {
		c.refuse("routes", "has %d routes; expected at most %d", len(d.Routes), maxItems)
		return nil
	}
	routes := make([]gate.Route, len(d.Routes))
	names := map[string]int{}
	for i := range d.Routes {
		field := at("routes", i)
		routes[i] = c.route(field, &d.Routes[i], fallback, d)
		c.once(field+".name", names, routes[i].Name)
		c.reachable(field, routes[:i], &routes[i])
	}
	return routes
}

func (c *checker) route(field string, p *routePart, fallback gate.Route, d *document) gate.Route {
	route := fallback
	route.Name = p.Name
	if c.doc.Has(field+".name") && !routeName.MatchString(p.Name) {
		c.refuse(field+".name", "%s", expectedName)
	}
	route.Match = c.match(field+".match", &p.Match)
	route.Require = c.require(field+".require", &p.Require)
	if c.doc.Has(field + ".anonymous") {
		route.Anonymous = p.Anonymous == anonymousAllow
	}
	if c.doc.Has(field + ".authenticate") {
		route.Authenticate = c.authenticate(field+".authenticate", &p.Authenticate, d)
	}
	if c.doc.Has(field + ".policy") {
		route.Entrypoint = string(p.Policy)
	}
	route.Environments = c.environments(field+".environments", p.Environments, d.Consumers.Environments, fallback.Environments)
	route.MaxStaleness = c.staleness(field+".max_staleness", p.MaxStaleness, fallback.MaxStaleness)
	c.open(field, &route)
	return route
}

// open refuses a route that nobody can pass.
func (c *checker) open(field string, route *gate.Route) {
	if len(route.Authenticate.Kinds) == 0 && !route.Anonymous {
		c.refuse(field+".authenticate", "believes no credential and allows no anonymous request, so that nobody passes")
	}
}

func (c *checker) match(field string, p *matchPart) gate.Match {
	if c.doc.Has(field) && !c.doc.Has(field+".methods") && !c.doc.Has(field+".hosts") && !c.doc.Has(field+".paths") {
		c.refuse(field, `matches every request; if that is meant, write paths: ["/{rest...}"]`)
	}
	c.filled(field+".methods", p.Methods, methodForm.MatchString, "a method in upper case")
	c.filled(field+".paths", p.Paths, func(string) bool { return true }, "")
	return gate.Match{Methods: p.Methods, Hosts: c.hosts(field+".hosts", p.Hosts), Paths: c.paths(field+".paths", p.Paths)}
}

// paths reads the patterns. One that can't be read is left out, so that the
// route is not checked for what it doesn't say.
func (c *checker) paths(field string, texts []string) []gate.Pattern {
	var patterns []gate.Pattern
	for i, text := range texts[:min(len(texts), maxItems)] {
		pattern, err := gate.ParsePattern(text)
		switch {
		case len(text) > maxText:
			c.refuse(at(field, i), "expected at most %d bytes", maxText)
		case err != nil:
			c.refuse(at(field, i), "%s", err)
		default:
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

func (c *checker) hosts(field string, hosts []string) []string {
	c.filled(field, hosts, func(string) bool { return true }, "")
	for i, host := range hosts[:min(len(hosts), maxItems)] {
		if problem := hostProblem(host); problem != "" {
			c.refuse(at(field, i), "%s", problem)
		}
	}
	return hosts
}

// hostProblem says why a host could never be that of a request.
func hostProblem(host string) string {
	name, wild := strings.CutPrefix(host, "*.")
	canonical, err := canon.Host(name)
	switch {
	case err != nil || strings.Contains(name, "*"):
		return "expected a host such as api.example.com, or *.example.com"
	case wild && strings.HasPrefix(name, "["):
		return "an address has no names under it"
	case canonical != name:
		return fmt.Sprintf("expected it without port and in lower case: %s", host[:len(host)-len(name)]+canonical)
	}
	return ""
}

func (c *checker) require(field string, p *requirePart) gate.Require {
	const named = "a text without control characters"
	c.filled(field+".roles", p.Roles, plain, named)
	c.filled(field+".groups", p.Groups, plain, named)
	c.filled(field+".scopes", p.Scopes, scopeForm.MatchString, `a scope of printable ASCII without space, " and \`)
	if c.doc.Has(field) && len(p.Roles)+len(p.Groups)+len(p.Scopes) == 0 {
		c.refuse(field, "requires nothing; leave the key out if that is meant")
	}
	return gate.Require{Roles: p.Roles, Scopes: p.Scopes, Groups: p.Groups}
}

// authenticate checks that every kind is one of the file's order.
func (c *checker) authenticate(field string, a *authenticate, d *document) gate.Authenticate {
	list, place := a.Any, field
	all := c.doc.Has(field + ".all_of")
	if all {
		list, place = a.All.Kinds, field+".all_of"
	}
	if all && list != nil && len(list) == 0 {
		c.refuse(place, "is empty; expected at least one kind")
	}
	kinds := c.ordered(place, c.kinds(place, list), &d.Authentication)
	return gate.Authenticate{Kinds: inOrder(kinds, d.Authentication.Order), AllOf: all}
}

// inOrder sorts kinds by the file's order: that names the credential.
func inOrder(kinds []access.Kind, order []kind) []access.Kind {
	slices.SortStableFunc(kinds, func(a, b access.Kind) int {
		return slices.Index(order, kind(a)) - slices.Index(order, kind(b))
	})
	return kinds
}

// reachable refuses a route that an earlier one takes every request from.
func (c *checker) reachable(field string, earlier []gate.Route, route *gate.Route) {
	if c.broken(field + ".match") {
		return
	}
	for i := range earlier {
		before := at("routes", i)
		if !c.broken(before+".match") && earlier[i].Match.Covers(&route.Match) {
			c.refuse(field+".match", "is never reached: route %q on line %d takes every request that it would match", earlier[i].Name, c.doc.Line(before))
			return
		}
	}
}

// broken reports a problem at a field or beneath it, or that it is missing.
func (c *checker) broken(field string) bool {
	if !c.doc.Has(field) {
		return true
	}
	for _, p := range c.problems {
		if rest, ok := strings.CutPrefix(p.Field, field); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}
