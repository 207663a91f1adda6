// Package policy decides with Open Policy Agent, in process. A Snapshot is one
// compiled set of Rego modules and data: one revision, never changed, so that a
// reload is a new Snapshot beside the old one.
//
// Policies see OPA-Envoy's input and answer with OPA-Envoy's results
// (https://www.openpolicyagent.org/docs/envoy), beside Postern's own words:
// input.consumer, input.credential, input.identity, input.route, input.time.
// policies/README.md describes both, field by field.
//
// Everything fails closed. What a policy plainly answers is a decision; a
// builtin's error, a conflict, a panic, an evaluation that takes too long and a
// result that can't be obeyed are errors, which the gate turns into a fault.
//
// An evaluation is given only the parts of the input that its rules read
// (survey, part). The same selection is what a decision may be remembered
// under: the rules can't tell two questions apart that agree on it.
package policy
