// Package introspect proves consumers by opaque tokens: it asks the
// authorization server that gave them out what they are worth (RFC 7662).
//
// The story of a token: authenticator.go takes it from the request and looks in
// memory, server.go asks for what is not there, answer.go reads the answer
// strictly, prove.go judges it. What stands between us and a server that is in
// trouble: call.go bounds one call, breaker.go stops asking for a while,
// discovery.go finds where to ask.
//
// A server that gives no honest answer is a fault, never a rejection, and never
// remembered. What it answered is remembered for as long as the cache and the
// configuration let it: so long may a token live on that was revoked there.
package introspect
