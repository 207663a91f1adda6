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

const timedRoute = `routes:
  - name: timed
    match: {paths: ["/timed/{id}"]}
    policy: bench/timed/allow
`

// writeConfig copies the example, moves it to other addresses and adds a route
// whose policy can't be remembered. It returns the configuration's path.
func writeConfig(example, dir string, at program.Addresses) (string, error) {
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "policies", "timed.rego"), []byte(timedPolicy), 0o644); err != nil {
		return "", err
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
		{"\nroutes:\n", "\n" + timedRoute},
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
