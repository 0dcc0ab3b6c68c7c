-- One text for SQLite and PostgreSQL: TEXT, BIGINT and BYTEA mean the same to
-- both (SQLite gives BYTEA no affinity that changes a blob). Times are
-- microseconds since 1970 in UTC, nought where there is none. A column `body`
-- holds the noun as JSON; the columns beside it are what is searched by.

-- +goose Up
CREATE TABLE messages (
    id          TEXT   NOT NULL PRIMARY KEY,
    sender      TEXT   NOT NULL,
    message_key TEXT   NOT NULL,
    sha256      TEXT   NOT NULL,
    door        TEXT   NOT NULL,
    operation   TEXT   NOT NULL,
    service     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    raw         BYTEA  NOT NULL,
    reply       BYTEA  NOT NULL,
    code        TEXT   NOT NULL,
    application TEXT   NOT NULL,
    CONSTRAINT messages_once UNIQUE (sender, message_key)
);
CREATE INDEX messages_application ON messages (application);

CREATE TABLE applications (
    number      TEXT     NOT NULL PRIMARY KEY,
    service     TEXT     NOT NULL,
    channel     TEXT     NOT NULL,
    office      TEXT     NOT NULL,
    state       TEXT     NOT NULL,
    iin         TEXT     NOT NULL,
    bin         TEXT     NOT NULL,
    received_at BIGINT   NOT NULL,
    overdue     SMALLINT NOT NULL,
    version     BIGINT   NOT NULL,
    body        TEXT     NOT NULL
);
CREATE INDEX applications_received ON applications (received_at, number);
CREATE INDEX applications_iin ON applications (iin, received_at);

CREATE TABLE results (
    application TEXT  NOT NULL PRIMARY KEY,
    body        TEXT  NOT NULL,
    content     BYTEA NOT NULL,
    signature   BYTEA NOT NULL
);

CREATE TABLE events (
    application TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (application, seq)
);

CREATE TABLE dues (
    application TEXT   NOT NULL,
    step        BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    tell_at     BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    PRIMARY KEY (application, step, started_at)
);
CREATE INDEX dues_tell ON dues (tell_at) WHERE tell_at > 0;

CREATE TABLE evidence (
    message     TEXT   NOT NULL,
    application TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    outcome     TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    verdict     BYTEA  NOT NULL,
    document    BYTEA  NOT NULL
);
CREATE INDEX evidence_application ON evidence (application, at);
CREATE INDEX evidence_message ON evidence (message);

CREATE TABLE holds (
    application TEXT   NOT NULL PRIMARY KEY,
    next_at     BIGINT NOT NULL,
    document    BYTEA  NOT NULL,
    body        TEXT   NOT NULL
);
CREATE INDEX holds_next ON holds (next_at);

CREATE TABLE outbox (
    id              TEXT   NOT NULL PRIMARY KEY,
    application     TEXT   NOT NULL,
    route           TEXT   NOT NULL,
    seq             BIGINT NOT NULL,
    state           TEXT   NOT NULL,
    next_at         BIGINT NOT NULL,
    lease           BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    message_id      TEXT   NOT NULL,
    correlation_id  TEXT   NOT NULL,
    service         TEXT   NOT NULL,
    peer_message_id TEXT   NOT NULL,
    body            TEXT   NOT NULL,
    payload         BYTEA  NOT NULL,
    sent            BYTEA  NOT NULL,
    answer          BYTEA  NOT NULL,
    CONSTRAINT outbox_order UNIQUE (application, route, seq)
);
CREATE INDEX outbox_queued ON outbox (route, next_at) WHERE state = 'queued';
CREATE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_peer_message ON outbox (peer_message_id);
CREATE INDEX outbox_created ON outbox (created_at, id);

CREATE TABLE sequences (
    name TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

CREATE TABLE marks (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE replays (
    owner      TEXT   NOT NULL,
    replay_key TEXT   NOT NULL,
    digest     BYTEA  NOT NULL,
    claimed_to BIGINT NOT NULL,
    answer     BYTEA,
    PRIMARY KEY (owner, replay_key)
);

-- +goose Down
DROP TABLE replays;
DROP TABLE marks;
DROP TABLE sequences;
DROP TABLE outbox;
DROP TABLE holds;
DROP TABLE evidence;
DROP TABLE dues;
DROP TABLE events;
DROP TABLE results;
DROP TABLE applications;
DROP TABLE messages;
