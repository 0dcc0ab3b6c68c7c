-- A printed result is kept as it was handed out; its address of verification
-- holds a token that nobody can guess. What is handed over in person stands in
-- a register.

-- +goose Up
ALTER TABLE results ADD COLUMN token TEXT;
CREATE UNIQUE INDEX results_token ON results (token);
CREATE TABLE papers (
    application TEXT  NOT NULL,
    languages   TEXT  NOT NULL,
    sha256      TEXT  NOT NULL,
    body        TEXT  NOT NULL,
    content     BYTEA NOT NULL,
    PRIMARY KEY (application, languages)
);
CREATE TABLE pickups (
    application TEXT   NOT NULL PRIMARY KEY,
    state       TEXT   NOT NULL,
    place       TEXT   NOT NULL,
    office      TEXT   NOT NULL,
    service     TEXT   NOT NULL,
    ready_at    BIGINT NOT NULL,
    until_at    BIGINT NOT NULL
);
CREATE INDEX pickups_state ON pickups (state, ready_at);

-- +goose Down
DROP TABLE pickups;
DROP TABLE papers;
DROP INDEX results_token;
ALTER TABLE results DROP COLUMN token;
