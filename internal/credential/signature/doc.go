// Package signature proves signed requests: the client holds a secret that
// never travels, and signs each request with HMAC (RFC 2104).
//
// Three dialects are read, told apart by the form of the request:
//
//   - plain: the headers X-API-Key (the key's id), X-Timestamp (milliseconds
//     since 1970), X-Nonce and X-Signature, the last being the hexadecimal
//     HMAC-SHA256 of `timestamp.nonce.body`. It covers neither method nor path.
//   - apisix: `Authorization: Signature keyId="…",algorithm="hmac-sha256",
//     headers="@request-target date",signature="…"`, as APISIX's hmac-auth.
//   - kong: `Authorization: hmac username="…", algorithm="hmac-sha256",
//     headers="date @request-target", signature="…"`, as Kong's hmac-auth.
//
// What is stricter here than at those gateways, each of which a configuration
// can give up by name where there is one for it:
//
//   - The date and the request target must be among the signed headers. Of the
//     dates that are signed all must be within the clock skew; one that is not
//     signed counts for nothing.
//   - A body must be covered by a signed Digest (RFC 3230) or Content-Digest
//     (RFC 9530) header, and must have been passed to us whole. Where the
//     gateway does not pass bodies, only what can't be expected to have one is
//     proven: GET, HEAD, OPTIONS, DELETE, TRACE; others only where the client
//     itself announces a length of 0.
//   - A signature holds once. An honest repetition of a request within the
//     second of its Date has the same signature and is refused too: a client
//     that needs to repeat signs one more header that differs. So is a
//     gateway's own second question about one request (Envoy: retry_policy of
//     the ext_authz service).
//   - Dates are of the one form that RFC 9110 section 5.6.7 lets clients send.
//     A signed header must be there, on one line. Parameters are quoted strings
//     without escapes; unknown and repeated ones are refused.
//
// Nothing is remembered of what was proven, since no signature holds twice; of
// each signature that held is remembered that it did (Nonces), in a memory that
// no key can fill alone. It outlives a reload. It is the process's own: after a
// restart, and at another instance, a signature holds once more within its clock
// skew, until the instances share a store. A clock skew that is raised while
// running would believe again what was forgotten under the lower one: it is
// remembered for the highest that there may be, and the program raises that at a
// start alone.
package signature
