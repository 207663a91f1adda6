// Package gate tells the one story of a request: read, route, authenticate,
// constrain, decide, pronounce. It owns the ports that the story needs and
// never returns an error: whatever goes wrong ends in a verdict, and every
// verdict that is not an allow keeps the request out.
package gate
