// Package assertion signs who a request is from, for the upstream: a short JSON
// Web Token in a header that the gateway hands on. An upstream that verifies it
// needs to trust neither the network nor the gateway's care with headers, only
// Postern's public keys.
//
// An assertion is good for the one consumer and credential, method, host and
// path that it was signed for, and for a short time. It is reused for at most
// half of that time, and then carries the id of the decision that it was signed
// for; X-Decision-Id is the request's own.
package assertion
