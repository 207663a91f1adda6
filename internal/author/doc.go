// Package author is for people who write policies: their tests run, their
// modules are formatted and looked through, their decisions measured and
// explained. What it accepts the gate accepts, for it loads and compiles as
// package policy does, and asks through the whole gate.
package author
