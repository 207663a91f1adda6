package cases_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/postern-authz/postern/test/cases"
	"github.com/postern-authz/postern/test/harness"
)

// grpcDoor asks as Envoy does: repeated lines are joined by a comma.
func grpcDoor(t *testing.T, address string) ask {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := authv3.NewAuthorizationClient(conn)
	return func(t *testing.T, r *cases.Ready) seen {
		answer, err := client.Check(t.Context(), checkRequest(r))
		if err != nil {
			t.Fatal(err)
		}
		return seenByEnvoy(answer)
	}
}

func checkRequest(r *cases.Ready) *authv3.CheckRequest {
	headers := map[string]string{":method": r.Method, ":path": r.Path, ":authority": r.Host, ":scheme": "http"}
	for _, line := range r.Lines {
		name := strings.ToLower(line[0])
		if before, there := headers[name]; there {
			headers[name] = before + "," + line[1]
			continue
		}
		headers[name] = line[1]
	}
	attributes := &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Principal: r.Principal, Certificate: url.PathEscape(r.Certificate), Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: r.Client, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: r.Method, Path: r.Path, Host: r.Host, Scheme: "http", Protocol: "HTTP/1.1", Headers: headers,
		}},
	}
	if r.Route != "" {
		attributes.ContextExtensions = map[string]string{"postern.route": r.Route}
	}
	return &authv3.CheckRequest{Attributes: attributes}
}

func seenByEnvoy(answer *authv3.CheckResponse) seen {
	s := seen{header: http.Header{}, status: 200, route: answer.GetDynamicMetadata().GetFields()["route"].GetStringValue()}
	options := answer.GetOkResponse().GetHeaders()
	s.removed = answer.GetOkResponse().GetHeadersToRemove()
	if denied := answer.GetDeniedResponse(); denied != nil {
		options, s.body, s.status = denied.GetHeaders(), denied.GetBody(), int(denied.GetStatus().GetCode())
	}
	if (s.status == 200) != (answer.GetStatus().GetCode() == 0) {
		s.status = -1 // Envoy would go by the code alone
	}
	for _, option := range options {
		s.header.Add(option.GetHeader().GetKey(), option.GetHeader().GetValue())
	}
	return s
}

// exchange writes bytes as they are and reads the answer.
func exchange(t *testing.T, address, raw string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// httpDoor asks as a gateway does through its profile.
func httpDoor(address, gateway string) ask {
	return func(t *testing.T, r *cases.Ready) seen {
		response, body := exchange(t, address, question(gateway, r))
		s := seen{status: response.StatusCode, header: response.Header, body: body, head: gateway == "envoy" && r.Method == http.MethodHead}
		if meant := s.header.Get("X-Postern-Status"); gateway == "nginx" && meant != "" {
			if s.status != 401 && s.status != 403 {
				t.Errorf("nginx would make 500 of %d", s.status)
			}
			s.status, _ = strconv.Atoi(meant)
		}
		s.bare = s.status == 400 && s.header.Get("X-Postern-Code") == "" && gateway == "envoy"
		if s.status == 200 && body != "" {
			t.Errorf("an allow has the body %q", body)
		}
		return s
	}
}

func question(gateway string, r *cases.Ready) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	switch gateway {
	case "envoy":
		fmt.Fprintf(&b, "%s /forward-auth/envoy%s HTTP/1.1\r\n", r.Method, r.Path)
		line("Host", r.Host)
	case "nginx":
		b.WriteString("GET /forward-auth/nginx HTTP/1.0\r\n")
		line("Host", "postern")
		line("X-Original-URI", r.Path)
		line("X-Original-Method", r.Method)
		line("X-Forwarded-Host", r.Host)
	default:
		fmt.Fprintf(&b, "GET /forward-auth/%s HTTP/1.1\r\n", gateway)
		line("Host", "postern")
		line("X-Forwarded-Uri", r.Path)
		line("X-Forwarded-Method", r.Method)
		line("X-Forwarded-Host", r.Host)
		line("X-Forwarded-Proto", "http")
	}
	line("X-Forwarded-For", r.Client)
	for _, l := range r.Lines {
		line(l[0], l[1])
	}
	return b.String() + "\r\n"
}

// opaDoor asks as APISIX's opa plugin does.
func opaDoor(address string) ask {
	return func(t *testing.T, r *cases.Ready) seen {
		input, err := json.Marshal(map[string]any{"input": pluginInput(r)})
		if err != nil {
			t.Fatal(err)
		}
		entrypoint := "postern/authz/allow"
		if strings.HasPrefix(r.Path, "/legacy") {
			entrypoint = "envoy/authz/allow" // this plugin names its policy
		}
		response, body := exchange(t, address, fmt.Sprintf("POST /v1/data/%s HTTP/1.1\r\nHost: postern\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			entrypoint, len(input), input))
		var answer struct {
			Result struct {
				Allow      bool
				Reason     string
				Headers    map[string]any
				StatusCode int `json:"status_code"`
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || response.StatusCode != 200 {
			t.Fatalf("%s %q: %v", response.Status, body, err)
		}
		s := seen{status: answer.Result.StatusCode, header: http.Header{}, body: answer.Result.Reason}
		if answer.Result.Allow {
			s.status = 200
		}
		for name, value := range answer.Result.Headers {
			for _, line := range listOf(value) {
				s.header.Add(name, fmt.Sprint(line))
			}
		}
		return s
	}
}

func listOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

func pluginInput(r *cases.Ready) map[string]any {
	path, query, _ := strings.Cut(r.Path, "?")
	arguments, _ := url.ParseQuery(query) // what it can't parse, nginx drops too
	headers := map[string][]string{}
	for _, line := range r.Lines {
		name := strings.ToLower(line[0])
		headers[name] = append(headers[name], line[1])
	}
	client := r.Client
	if addr, err := netip.ParseAddr(client); err == nil {
		client = addr.String()
	}
	return map[string]any{
		"type": "http",
		"request": map[string]any{
			"scheme": "http", "method": r.Method, "host": r.Host, "port": 80, "path": path, "headers": headers, "query": arguments,
		},
		"var": map[string]any{"remote_addr": client, "remote_port": "4711", "server_addr": "127.0.0.1", "server_port": "80", "timestamp": 1},
	}
}
