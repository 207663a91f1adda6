// Package bearer proves consumers by JSON Web Tokens (RFC 7519), which are of
// one of two kinds. An issuer-bound token's `iss` is a configured issuer's: its
// keys are the issuer's published set. Every other token is consumer-bound: a
// consumer's own credential verifies it, found by `iss`, else by the claim
// `key`, else by the header's `kid`. Which of the two a token is, and which
// credential it claims, is settled before any key is touched, and no key of one
// is ever tried for another.
//
// The story of a token: token.go reads it strictly, with the help of package claims,
// header.go and claims.go take from it what counts, find.go settles whose it
// says it is, verify.go proves that, prove.go tells it all in order. The story
// of an issuer's keys: keyset.go, jwk.go and publickey.go judge a set, file.go,
// fetch.go and discovery.go bring one, issuer.go and asks.go keep it fresh, off
// the path of requests.
//
// golang-jwt computes the signatures. What it lets pass and should not (RFC
// 8725) is refused here, in front of it.
package bearer
