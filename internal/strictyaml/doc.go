// Package strictyaml reads a YAML file into a struct and accepts nothing that
// a person may have meant otherwise: unknown and duplicate keys, values of
// another type, keys without a value, further documents, tags, anchors and
// aliases. It reports every problem of a file at once, with its line, and the
// document it returns gives lines to the checks that come after.
//
// A value is never repeated in a problem's text, since it may be a secret; so
// is a key that doesn't look like one.
package strictyaml
