// Package policies is the library that decides where a configuration names no
// policy directory of its own: roles and conditions in Rego, with their data.
// The README beside it is for the author of a policy.
package policies

import "embed"

// FS holds the library's modules and data, without its tests.
//
//go:embed authz.rego conditions.rego context.rego permissions.rego rates.rego rules.rego
//go:embed subject.rego tenants.rego timed.rego data.yaml
var FS embed.FS

// Schema holds the JSON Schemas of policy's input and result. Their names are
// such that OPA, reading a directory of policies, doesn't take them for data.
//
//go:embed schema
var Schema embed.FS
