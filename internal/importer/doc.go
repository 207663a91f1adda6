// Package importer reads the consumers that users already have, in the forms of
// APISIX and Kong, and writes ours. README.md says for each form what comes
// over, what changes its meaning and what can't come.
//
// Reading makes a Plan and changes nothing. A document that is broken, or that
// says one thing twice, makes no plan but errors, all of them at once. A
// document that is sound makes a plan whose items tell of everything that will
// not be as it was; what is secret is in none of them.
//
// The same documents make the same plan, with the same ids, so that what was
// imported already is found again.
package importer
