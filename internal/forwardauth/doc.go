// Package forwardauth is the HTTP door: gateways that can ask a service over
// HTTP about each request ask here. Every gateway has a path of its own,
// /forward-auth/NAME, and a short file that says what is particular about it
// (a Dialect); one reader and one renderer serve them all. APISIX's opa plugin
// asks at /v1/data/POLICY instead.
//
// A request's way: handler.ServeHTTP, read, Checker.Check, render. The door
// adds nothing to a verdict, and what it can't read it hands on as malformed,
// so that the gate alone pronounces.
package forwardauth
