// Package redact takes out of texts that are to be written down what may be a
// credential: what stands under a name like one, and what has the form of a
// token or of a key. There is one rule for names, wherever they stand. Where
// there is doubt, it takes out more.
package redact
