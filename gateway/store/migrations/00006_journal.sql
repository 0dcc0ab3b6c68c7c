-- The chain of records (gateway/journal). Nothing here is ever updated but the
-- head; an erased key is what erasure means.

-- +goose Up
CREATE TABLE journal (
    seq   BIGINT NOT NULL PRIMARY KEY,
    owner TEXT   NOT NULL,
    hash  BYTEA  NOT NULL,
    body  TEXT   NOT NULL
);
CREATE INDEX journal_owner ON journal (owner, seq);

CREATE TABLE journal_head (
    id   BIGINT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash BYTEA  NOT NULL
);

CREATE TABLE journal_keys (
    owner      TEXT   NOT NULL PRIMARY KEY,
    secret     BYTEA  NOT NULL,
    erased_at  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE checkpoints (
    seq    BIGINT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    signed BYTEA  NOT NULL
);

-- +goose Down
DROP TABLE checkpoints;
DROP TABLE journal_keys;
DROP TABLE journal_head;
DROP TABLE journal;
