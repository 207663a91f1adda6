-- +goose Up
-- Names are compared in lower case (folded), times are microseconds since 1970
-- (0: none), and "doc" is JSON of what nothing is searched by. The collation "C"
-- makes the order of names that of their bytes, whatever the database was made
-- with.

CREATE TABLE consumers (
    folded      TEXT COLLATE "C" PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    enabled     BOOLEAN NOT NULL,
    plan        TEXT COLLATE "C" NOT NULL,
    grant_id    TEXT COLLATE "C" NOT NULL,
    doc         TEXT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX consumers_environment ON consumers (environment, folded);
CREATE INDEX consumers_plan ON consumers (lower(plan), folded) WHERE plan <> '';

-- The labels of consumers once more, to find consumers by them.
CREATE TABLE consumer_labels (
    name     TEXT COLLATE "C" NOT NULL,
    value    TEXT COLLATE "C" NOT NULL,
    consumer TEXT COLLATE "C" NOT NULL REFERENCES consumers (folded),
    PRIMARY KEY (name, consumer)
);
CREATE INDEX consumer_labels_consumer ON consumer_labels (consumer);

-- lookup is what a request's reference becomes: for an API key an HMAC of its
-- digest under the pepper, for other kinds a digest of kind, issuer and value.
CREATE TABLE credentials (
    id           TEXT COLLATE "C" PRIMARY KEY,
    consumer     TEXT COLLATE "C" NOT NULL REFERENCES consumers (folded),
    kind         TEXT COLLATE "C" NOT NULL,
    label        TEXT COLLATE "C" NOT NULL,
    prefix       TEXT COLLATE "C" NOT NULL,
    issuer       TEXT COLLATE "C" NOT NULL,
    value        TEXT COLLATE "C" NOT NULL,
    lookup       BYTEA NOT NULL,
    pepper       BIGINT NOT NULL,
    sealed       BYTEA,
    enabled      BOOLEAN NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    doc          TEXT NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX credentials_lookup ON credentials (lookup);
CREATE INDEX credentials_consumer ON credentials (consumer, id);
CREATE INDEX credentials_pepper ON credentials (pepper);
CREATE INDEX credentials_prefix ON credentials (prefix) WHERE prefix <> '';
CREATE INDEX credentials_label ON credentials (label) WHERE label <> '';
CREATE INDEX credentials_expires_at ON credentials (expires_at) WHERE expires_at > 0;

CREATE TABLE applications (
    folded     TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    doc        TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE grants (
    id          TEXT COLLATE "C" PRIMARY KEY,
    application TEXT COLLATE "C" NOT NULL REFERENCES applications (folded) DEFERRABLE INITIALLY DEFERRED,
    api         TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    consumer    TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX grants_application ON grants (application, id);

CREATE TABLE plans (
    folded     TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    doc        TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE audit (
    number   BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    author   TEXT COLLATE "C" NOT NULL,
    address  TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    target   TEXT COLLATE "C" NOT NULL,
    doc      TEXT NOT NULL,
    previous TEXT COLLATE "C" NOT NULL,
    hash     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_target ON audit (target, number);

-- The feed: which consumers a change touched; an empty name means all.
CREATE TABLE changes (
    sequence BIGINT NOT NULL,
    consumer TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (sequence, consumer)
);

-- The one row that every change reads and moves: the last sequence, the last
-- one whose rows were pruned from the feed, and the end of the audit chain.
CREATE TABLE head (
    id           BIGINT PRIMARY KEY CHECK (id = 1),
    sequence     BIGINT NOT NULL,
    pruned       BIGINT NOT NULL,
    audit_number BIGINT NOT NULL,
    audit_hash   TEXT COLLATE "C" NOT NULL
);
INSERT INTO head VALUES (1, 0, 0, 0, '');

CREATE TABLE instances (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    applied    BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

CREATE TABLE idempotency (
    id         TEXT COLLATE "C" PRIMARY KEY,
    request    TEXT COLLATE "C" NOT NULL,
    sealed     BYTEA NOT NULL,
    pepper     BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

CREATE TABLE meta (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
