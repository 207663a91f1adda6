// Package config reads postern.yaml: strictly, with every error at once, file
// and line, into one immutable value.
package config
