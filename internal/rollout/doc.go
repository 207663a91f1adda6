// Package rollout brings changed policies into force with care. A Shadow asks a
// candidate what the policy in force was asked, off the request's path, and
// counts how the answers differ. Revisions keeps every policy that came into
// force, and remembers which one was promoted or rolled back to, so that a
// restart obeys that too.
package rollout
