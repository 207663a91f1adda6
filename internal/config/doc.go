// Package config reads postern.yaml: strictly, with every error at once, file
// and line, into one immutable value. deploy/example/postern.yaml shows every
// key, and Schema gives the same as a JSON Schema for editors.
//
// What the format has and this version can't honour is refused, and what opens
// a door by accident (an empty list that would match everything, a proxy that
// everybody is, a route behind another that takes all) is an error.
package config
