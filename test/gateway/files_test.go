package gateway

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// Every HTTP gateway's file must name every managed header, or a client could
// forge the one that is left out, and every place of a credential, or the
// upstream would get it.
func TestFilesNameEveryHeader(t *testing.T) {
	names := []string{
		"x-consumer-username", "x-consumer-id", "x-consumer-custom-id", "x-consumer-groups", "x-authenticated-groups",
		"x-credential-identifier", "x-anonymous-consumer", "x-decision-id",
	}
	for _, files := range [][]string{
		{"envoy/envoy-http.yaml"}, {"nginx/nginx.conf"}, {"caddy/Caddyfile"}, {"traefik/dynamic.yml"},
		{"apisix/apisix.yaml"}, {"haproxy/postern.lua", "haproxy/haproxy.cfg"},
	} {
		t.Run(filepath.Dir(files[0]), func(t *testing.T) {
			var content strings.Builder
			for _, file := range files {
				content.WriteString(withoutComments(harness.Read(t, filepath.Join(harness.Root(t), "deploy", file))))
			}
			for _, name := range append(names, "x-api-key", "authorization") {
				if !strings.Contains(strings.ToLower(content.String()), name) {
					t.Errorf("%s isn't named", name)
				}
			}
		})
	}
}

// withoutComments drops whole lines of comment.
func withoutComments(content string) string {
	var kept []string
	for line := range strings.Lines(content) {
		if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "#") && !strings.HasPrefix(trimmed, "--") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
