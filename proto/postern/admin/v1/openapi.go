// Package adminv1 is the admin API as its proto file defines it: messages,
// client, server, the gateway for JSON over HTTP, and its description in
// OpenAPI. Package admin serves it.
package adminv1

import _ "embed"

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the description of the HTTP API in OpenAPI 3.0, as JSON. Its
// caller does not change it.
func OpenAPI() []byte { return openAPI }
