package telemetry

import (
	"fmt"
	"net/url"
	"strings"
)

// The OTLP protocols (OpenTelemetry, OTLP Exporter Configuration).
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// signals say what is exported, by the standard variables.
type signals struct {
	// disabled is OTEL_SDK_DISABLED: nothing is measured at all.
	disabled        bool
	traces, metrics export
}

// export is where one signal goes.
type export struct {
	on       bool
	endpoint string
	protocol string
}

func readSignals(o Options) (signals, error) {
	if strings.EqualFold(o.Env("OTEL_SDK_DISABLED"), "true") {
		return signals{disabled: true}, nil
	}
	traces, err := readExport(o, "TRACES", "v1/traces")
	if err != nil {
		return signals{}, err
	}
	metrics, err := readExport(o, "METRICS", "v1/metrics")
	return signals{traces: traces, metrics: metrics}, err
}

// readExport settles one signal: on when a collector is named for it, unless
// OTEL_…_EXPORTER says none.
func readExport(o Options, signal, path string) (export, error) {
	name, endpoint, whole := findEndpoint(o, signal)
	if endpoint == "" || o.Env("OTEL_"+signal+"_EXPORTER") == "none" {
		return export{}, nil
	}
	if x := o.Env("OTEL_" + signal + "_EXPORTER"); x != "" && x != "otlp" {
		return export{}, fmt.Errorf("telemetry: OTEL_%s_EXPORTER is %q; expected otlp or none", signal, x)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// The URL itself stays out of the message: it may hold a password.
		return export{}, fmt.Errorf("telemetry: %s is not a URL like http://collector:4318", name)
	}
	protocol, err := findProtocol(o, signal, u.Port())
	if err != nil {
		return export{}, err
	}
	if protocol == protocolHTTP && !whole {
		u = u.JoinPath(path)
	}
	return export{on: true, endpoint: u.String(), protocol: protocol}, nil
}

// findEndpoint returns what named the endpoint, and whether it is whole: the
// variable of one signal is taken as it is, every other gets the signal's path.
func findEndpoint(o Options, signal string) (name, endpoint string, whole bool) {
	if o.OTLPEndpoint != "" {
		return "otlp_endpoint", o.OTLPEndpoint, false
	}
	name = "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"
	if v := o.Env(name); v != "" {
		return name, v, true
	}
	name = "OTEL_EXPORTER_OTLP_ENDPOINT"
	return name, o.Env(name), false
}

// findProtocol takes the variables' word; without one, port 4317, which is
// registered for OTLP over gRPC, means gRPC and any other HTTP.
func findProtocol(o Options, signal, port string) (string, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch v := o.Env(name); v {
		case "":
		case protocolGRPC, protocolHTTP:
			return v, nil
		default:
			return "", fmt.Errorf("telemetry: %s is %q; expected %s or %s", name, v, protocolGRPC, protocolHTTP)
		}
	}
	if port == "4317" {
		return protocolGRPC, nil
	}
	return protocolHTTP, nil
}
