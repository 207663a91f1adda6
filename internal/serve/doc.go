// Package serve puts the house together: it builds one set of rules from the
// configuration, opens the listeners, reloads under traffic and drains. It is
// the only place that knows every room.
package serve
