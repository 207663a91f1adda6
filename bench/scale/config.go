package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postern-authz/postern/bench/program"
)

// cacheMemory is the default of cache.max_memory, in MiB.
const cacheMemory = 64

// configuration is that of deploy/example as far as keys go. What is remembered
// stays so for the whole run: a turn with checks that are remembered has no
// others.
const configuration = `listen:
  grpc: {address: %s}
  http: {address: %s}
  admin: {address: %s}
  drain: {not_ready: 0s, timeout: 10s}
consumers:
  environments: [prod]
  store: {driver: %s, dsn: env:SCALE_DSN, pepper: env:SCALE_PEPPER}
authentication: {order: [api_key]}
routes:
  - name: order
    match: {methods: [GET], paths: ["/orders/{id}"], hosts: [api.example.com]}
    require: {scopes: [orders:read]}
policy: {directory: %q, entrypoint: postern/authz/allow, timeout: 2s}
identity: {headers: apisix}
cache: {max_memory: %dMiB, ttl: 1h}
telemetry: {decision_log: {allow_sample: 0.01}}
`

// serve starts Postern on a store. Without memory it remembers nothing.
func (b *bench) serve(ctx context.Context, s store, memory int) (*program.Program, error) {
	at, err := program.FreeAddresses()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, fmt.Sprintf("postern-%d.yaml", s.keys))
	text := fmt.Sprintf(configuration, at.GRPC, at.HTTP, at.Admin, s.driver, filepath.Join(b.root, "deploy", "example", "policies"), memory)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return program.Start(ctx, b.dir, "postern", at, []string{"SCALE_DSN=" + s.dsn, "SCALE_PEPPER=" + pepper}, "serve", "--config", path)
}
