// Package extauthz is Envoy's door: envoy.service.auth.v3.Authorization over
// gRPC. It reads a CheckRequest once into an access.Request and renders the
// verdict as a CheckResponse. It decides nothing.
//
// Envoy lets a request through by CheckResponse.status.code alone, and with
// failure_mode_allow also after any gRPC error. So every answer has a status,
// only an allow has OK, and Check never returns an error: what goes wrong here
// is a denial with 503.
package extauthz
