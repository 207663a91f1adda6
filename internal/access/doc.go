// Package access holds the words of Postern: what a request, a consumer, a
// credential, an identity, a decision and a verdict are. Everything else is
// written in these words, so the package depends on nothing but the standard
// library and has no behaviour beyond keeping its own values safe.
//
// The sentence to remember: an authenticator proves, policy decides, the gate
// pronounces. Identity is what was proven, Decision what was decided, Verdict
// what was pronounced.
package access
