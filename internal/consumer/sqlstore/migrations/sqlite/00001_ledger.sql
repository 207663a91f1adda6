-- +goose Up
-- Names are compared in lower case (folded), times are microseconds since 1970
-- (0: none), and "doc" is JSON of what nothing is searched by.

CREATE TABLE consumers (
    folded      TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    environment TEXT NOT NULL,
    enabled     INTEGER NOT NULL,
    plan        TEXT NOT NULL,
    grant_id    TEXT NOT NULL,
    doc         TEXT NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX consumers_environment ON consumers (environment, folded);
CREATE INDEX consumers_plan ON consumers (lower(plan), folded) WHERE plan <> '';

-- The labels of consumers once more, to find consumers by them.
CREATE TABLE consumer_labels (
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    consumer TEXT NOT NULL REFERENCES consumers (folded),
    PRIMARY KEY (name, consumer)
) STRICT, WITHOUT ROWID;
CREATE INDEX consumer_labels_consumer ON consumer_labels (consumer);

-- lookup is what a request's reference becomes: for an API key an HMAC of its
-- digest under the pepper, for other kinds a digest of kind, issuer and value.
CREATE TABLE credentials (
    id           TEXT PRIMARY KEY,
    consumer     TEXT NOT NULL REFERENCES consumers (folded),
    kind         TEXT NOT NULL,
    label        TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    value        TEXT NOT NULL,
    lookup       BLOB NOT NULL,
    pepper       INTEGER NOT NULL,
    sealed       BLOB,
    enabled      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    doc          TEXT NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX credentials_lookup ON credentials (lookup);
CREATE INDEX credentials_consumer ON credentials (consumer, id);
CREATE INDEX credentials_pepper ON credentials (pepper);
CREATE INDEX credentials_prefix ON credentials (prefix) WHERE prefix <> '';
CREATE INDEX credentials_label ON credentials (label) WHERE label <> '';
CREATE INDEX credentials_expires_at ON credentials (expires_at) WHERE expires_at > 0;

CREATE TABLE applications (
    folded     TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    doc        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE grants (
    id          TEXT PRIMARY KEY,
    application TEXT NOT NULL REFERENCES applications (folded) DEFERRABLE INITIALLY DEFERRED,
    api         TEXT NOT NULL,
    environment TEXT NOT NULL,
    consumer    TEXT NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_application ON grants (application, id);

CREATE TABLE plans (
    folded     TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    doc        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    author   TEXT NOT NULL,
    address  TEXT NOT NULL,
    action   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    target   TEXT NOT NULL,
    doc      TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE INDEX audit_target ON audit (target, number);

-- The feed: which consumers a change touched; an empty name means all.
CREATE TABLE changes (
    sequence INTEGER NOT NULL,
    consumer TEXT NOT NULL,
    PRIMARY KEY (sequence, consumer)
) STRICT, WITHOUT ROWID;

-- The one row that every change reads and moves: the last sequence, the last
-- one whose rows were pruned from the feed, and the end of the audit chain.
CREATE TABLE head (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    sequence     INTEGER NOT NULL,
    pruned       INTEGER NOT NULL,
    audit_number INTEGER NOT NULL,
    audit_hash   TEXT NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, 0, 0, '');

CREATE TABLE instances (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    applied    INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotency (
    id         TEXT PRIMARY KEY,
    request    TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    pepper     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
