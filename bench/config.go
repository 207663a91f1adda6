package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-authz/postern/bench/program"
)

// timedPolicy decides like the example's own policy and reads the clock
// besides, so that no answer may be remembered.
const timedPolicy = `package bench.timed

import rego.v1

default allow := false

allow if {
	time.now_ns() > 0
	input.attributes.request.http.method in {"GET", "HEAD"}
	"reader" in input.identity.roles
	not denied
}

denied if {
	prefix := input.consumer.labels.order_prefix
	not startswith(input.route.params.id, prefix)
}
`

// plainPolicy reads nothing: what is left is authentication, and the same way
// to an answer that every remembered decision takes.
const plainPolicy = `package bench.plain

allow := true
`

// rolesPolicy is RBAC as policies are taught to write it: a list of rules, which
// are looked through in order. All are of the consumer's role and of the method;
// the path of the last fits.
func rolesPolicy() string {
	var rules strings.Builder
	for i := range roleRules {
		path := fmt.Sprintf("/area%d/**", i)
		if i == roleRules-1 {
			path = "/roles/**"
		}
		fmt.Fprintf(&rules, "\t{\"role\": \"reader\", \"methods\": [\"GET\", \"HEAD\"], \"path\": %q},\n", path)
	}
	return fmt.Sprintf(rolesText, rules.String())
}

const roleRules = 20

const rolesText = `package bench.roles

import rego.v1

default allow := false

allow if {
	some rule in rules
	rule.role in input.identity.roles
	input.attributes.request.http.method in rule.methods
	glob.match(rule.path, ["/"], input.route.path)
}

rules := [
%s]

# As allow, and the clock keeps it from being remembered.
default afresh := false

afresh if {
	time.now_ns() > 0
	allow
}
`

const benchRoutes = `routes:
  - name: timed
    match: {paths: ["/timed/{id}"]}
    policy: bench/timed/allow
  - name: plain
    match: {paths: ["/plain/{id}"]}
    policy: bench/plain/allow
  - name: roles
    match: {paths: ["/roles/remembered/{id}"]}
    policy: bench/roles/allow
  - name: roles-afresh
    match: {paths: ["/roles/afresh/{id}"]}
    policy: bench/roles/afresh
`

// benchPolicies are the policies of those routes, by file.
func benchPolicies() map[string]string {
	return map[string]string{"timed.rego": timedPolicy, "plain.rego": plainPolicy, "roles.rego": rolesPolicy()}
}

// writeConfig copies the example, moves it to other addresses and adds routes
// with policies of their own. It returns the configuration's path.
func writeConfig(example, dir string, at program.Addresses) (string, error) {
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		return "", err
	}
	for name, text := range benchPolicies() {
		if err := os.WriteFile(filepath.Join(dir, "policies", name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "postern.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	changed, err := adapt(string(text), at)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return path, os.WriteFile(path, []byte(changed), 0o644)
}

// adapt changes the lines of the example that must differ; each must be there.
func adapt(text string, at program.Addresses) (string, error) {
	for _, change := range [][2]string{
		{"address: 127.0.0.1:9191", "address: " + at.GRPC},
		{"address: 127.0.0.1:9192", "address: " + at.HTTP},
		{"address: 127.0.0.1:9193", "address: " + at.Admin},
		{"\nroutes:\n", "\n" + benchRoutes},
		// A machine that is busy to the brim may stop a rule for longer than the
		// example allows; what it costs is not changed by that.
		{"timeout: 20ms", "timeout: 2s"},
	} {
		if strings.Count(text, change[0]) != 1 {
			return "", fmt.Errorf("expected %q once: the example has changed", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return text, nil
}
