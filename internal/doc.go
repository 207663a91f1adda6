// Package internal is the map of the house. It holds no code.
//
// A package imports only from lower floors, never from its own: so a request's
// way can be read from top to bottom, a room can be understood with what lies
// beneath it alone, and no two rooms need each other. TestFloors holds it.
//
//	floor  package                 what happens there
//	7      cli                     the commands
//	6      serve                   composition, listeners, reload, drain
//	5      config                  postern.yaml, strict, every error at once
//	5      author                  what an author of policies needs: test, lint, bench, explain
//	4      admin                   the admin API over the keyring: JSON and gRPC
//	4      bundles                 OPA bundles: fetched, verified, kept
//	4      journal                 decisions with what policy saw, kept for replay
//	4      importer                documents of APISIX and Kong to our records, and back
//	4      extauthz                Envoy's gRPC door: read, render
//	4      forwardauth             the HTTP doors, a short file a gateway
//	4      rollout                 candidates beside the policy in force; revisions, kept
//	3      assertion               the identity, signed for the upstream
//	3      credential/apikey       API keys
//	3      credential/signature    signed requests, each of which holds once
//	3      credential/bearer       JWTs of consumers and of issuers
//	3      credential/introspect   opaque tokens, by asking their server (RFC 7662)
//	3      credential/basic        usernames and passwords
//	3      credential/clientcert   TLS client certificates, as gateways tell them
//	3      consumer/file           consumers by declaration
//	3      consumer/sqlstore       consumers in SQLite or PostgreSQL
//	3      consumer/replica        in step with the store: follows, forgets, tells
//	3      keyring                 the life of consumers and keys
//	3      policy                  OPA in process
//	3      telemetry               logs, metrics, traces; decorates the gate's ports
//	2      consumer/rules          what a record may be, for files, API and importers alike
//	2      credential/place        where in a request a token stands
//	2      credential/proof        how a credential is asked for and refused
//	1      consumer                consumers and credentials as records; the store's contract
//	1      consumer/certname       the names of client certificates in one form
//	1      consumer/password       the forms of password hashes
//	1      gate                    the story of a request; owns its ports
//	1      cache                   Ristretto made safe
//	1      canon                   the one reading of path, host and client address
//	1      redact                  what may be a credential, taken out of what is written down
//	1      strictyaml              YAML with every error, file and line
//	1      wholefile               files put in place whole or not at all
//	1      stamp                   whether a file is certainly as it was
//	1      claims                  strict JSON, and the claims in it
//	0      access                  the words
//
// A request's way: a door reads it (extauthz, forwardauth), the gate takes one
// set of rules (gate), authenticators prove who it is from (credential/...),
// policy decides (policy), and the verdict is recorded (telemetry). Then the
// door renders the verdict.
package internal
