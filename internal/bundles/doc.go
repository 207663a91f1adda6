// Package bundles follows OPA bundles: it fetches them over HTTP or reads them
// from files, verifies them, offers what is new, and keeps on disk what was put
// in force, so that a start needs no network.
//
// It is made of the parts that OPA's bundle plugin is made of: the downloader
// (v1/download), the REST client (v1/plugins/rest), the reader and its
// signatures (v1/bundle, v1/keys). The plugin itself would compile each bundle
// under its own capabilities into a store of its own, so that large data were
// there twice, and keep on disk what the gate then refuses.
package bundles
