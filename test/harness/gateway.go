package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Gateway is a running gateway before Postern and an upstream.
type Gateway struct {
	*Process
	// URL is where clients send requests, without a trailing slash.
	URL string
	// Admin is the base of Envoy's admin interface.
	Admin string
}

// envoyPostern is the line of deploy/envoy/envoy.yaml that stands for one
// instance of Postern.
const envoyPostern = "- endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9191}}}"

// StartEnvoy runs Envoy with deploy/envoy/envoy.yaml before these instances.
// Further texts of that file may be replaced.
func StartEnvoy(t testing.TB, upstream string, instances []*Postern, replace map[string]string) *Gateway {
	t.Helper()
	var endpoints []string
	for _, p := range instances {
		endpoints = append(endpoints, strings.Replace(envoyPostern, "9191", Port(p.GRPC), 1))
	}
	texts := map[string]string{
		envoyPostern: strings.Join(endpoints, "\n              "),
		// The wait for an answer is no matter of these tests, and their machine may be slow.
		"timeout: 0.5s\n                        # A check": "timeout: 30s\n                        # A check",
		"max_interval: 0.5s": "max_interval: 30s",
	}
	for old, with := range replace {
		texts[old] = with
	}
	return startEnvoy(t, "envoy/envoy.yaml", upstream, texts)
}

// StartEnvoyHTTP runs Envoy with deploy/envoy/envoy-http.yaml.
func StartEnvoyHTTP(t testing.TB, upstream string, p *Postern) *Gateway {
	t.Helper()
	return startEnvoy(t, "envoy/envoy-http.yaml", upstream, map[string]string{
		"port_value: 9192": "port_value: " + Port(p.HTTP),
		"127.0.0.1:9192":   p.HTTP,
		"port_value: 9193": "port_value: " + Port(p.Admin),
		"timeout: 0.5s}":   "timeout: 30s}",
	})
}

func startEnvoy(t testing.TB, file, upstream string, replace map[string]string) *Gateway {
	t.Helper()
	envoy := Tool(t, "envoy", "ENVOY")
	public, admin := FreeAddress(t), FreeAddress(t)
	replace["port_value: 10000"] = "port_value: " + Port(public)
	replace["port_value: 8080"] = "port_value: " + Port(upstream)
	replace["port_value: 9901"] = "port_value: " + Port(admin)
	path := Configured(t, t.TempDir(), file, replace)
	// #nosec G204 -- a tool of this test
	cmd := exec.Command(envoy, "-c", path, "--concurrency", "2", "-l", "error", "--use-dynamic-base-id",
		"--drain-time-s", "1", "--parent-shutdown-time-s", "2")
	process := Start(t, "envoy", cmd, func() error { return answers("http://"+admin+"/ready", 200) })
	return &Gateway{Process: process, URL: "http://" + public, Admin: "http://" + admin}
}

// WaitHealthy returns once Envoy believes that each instance serves.
func (g *Gateway) WaitHealthy(t testing.TB, instances ...*Postern) {
	t.Helper()
	for _, p := range instances {
		WaitFor(t, "envoy to find postern at "+p.GRPC+" healthy", func() error {
			clusters, err := get(g.Admin + "/clusters")
			if err == nil && !strings.Contains(clusters, "postern::"+p.GRPC+"::health_flags::healthy") {
				err = fmt.Errorf("%s is not healthy", p.GRPC)
			}
			return err
		})
	}
}

// StartNginx runs nginx with deploy/nginx/nginx.conf.
func StartNginx(t testing.TB, upstream string, p *Postern) *Gateway {
	t.Helper()
	nginx, dir, public := Tool(t, "nginx", "NGINX"), servable(t), FreeAddress(t)
	path := Configured(t, dir, "nginx/nginx.conf", map[string]string{
		"127.0.0.1:10000":           public,
		"127.0.0.1:8080":            upstream,
		"127.0.0.1:9192":            p.HTTP,
		"proxy_connect_timeout 1s;": "proxy_connect_timeout 30s;",
		"proxy_read_timeout 2s;":    "proxy_read_timeout 30s;",
		"worker_processes auto;":    "worker_processes 1;",
		"error_log stderr warn;":    "error_log stderr error;",
	})
	// #nosec G204 -- a tool of this test
	cmd := exec.Command(nginx, "-p", dir, "-c", path)
	return &Gateway{Process: startListener(t, "nginx", cmd, public), URL: "http://" + public}
}

// StartCaddy runs Caddy with deploy/caddy/Caddyfile.
func StartCaddy(t testing.TB, upstream string, p *Postern) *Gateway {
	t.Helper()
	caddy, dir, public := Tool(t, "caddy", "CADDY"), t.TempDir(), FreeAddress(t)
	path := Configured(t, dir, "caddy/Caddyfile", map[string]string{
		"http://:10000":              "http://:" + Port(public),
		"127.0.0.1:8080":             upstream,
		"127.0.0.1:9192":             p.HTTP,
		"dial_timeout 1s":            "dial_timeout 30s",
		"response_header_timeout 2s": "response_header_timeout 30s",
	})
	// #nosec G204 -- a tool of this test
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", path)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return &Gateway{Process: startListener(t, "caddy", cmd, public), URL: "http://" + public}
}

// StartHAProxy runs HAProxy with deploy/haproxy. Texts of postern.lua may be
// replaced.
func StartHAProxy(t testing.TB, upstream string, p *Postern, lua map[string]string) *Gateway {
	t.Helper()
	haproxy, dir, public := Tool(t, "haproxy", "HAPROXY"), t.TempDir(), FreeAddress(t)
	script := Configured(t, dir, "haproxy/postern.lua", lua)
	path := Configured(t, dir, "haproxy/haproxy.cfg", map[string]string{
		"127.0.0.1:10000":      public,
		"127.0.0.1:8080":       upstream,
		"127.0.0.1:9192":       p.HTTP,
		"lua-load postern.lua": "lua-load " + script,
	})
	// #nosec G204 -- a tool of this test
	cmd := exec.Command(haproxy, "-db", "-f", path)
	return &Gateway{Process: startListener(t, "haproxy", cmd, public), URL: "http://" + public}
}

// servable is a folder of the test that nginx's workers, which give up root,
// may enter.
func servable(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for up := dir; strings.HasPrefix(up, os.TempDir()+string(filepath.Separator)); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil { // #nosec G302 -- no secret is in it
			t.Fatal(err)
		}
	}
	return dir
}
