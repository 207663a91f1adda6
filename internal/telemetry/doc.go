// Package telemetry sets OpenTelemetry up and decorates the gate's ports with
// it: metrics on /metrics and, where the standard OTEL_* variables or the
// configuration name a collector, traces and metrics over OTLP; logs by
// log/slog; one decision line a denial.
//
// Nothing here can hold a request up: measurements use attribute sets made
// beforehand, spans exist only where somebody records them, and decision lines
// go through a bounded queue that drops and counts what does not fit. Nothing
// here sees a secret: a request's headers, query and body are never read.
package telemetry
