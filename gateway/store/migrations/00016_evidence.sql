-- What a verdict relied on (certificates, OCSP answers, lists) is kept, so that
-- it can be reached again; each failed try of a delivery is. What says nothing
-- of a person (lists, authorities, descriptions of services) is kept once, by
-- its SHA-256.

-- +goose Up
ALTER TABLE evidence ADD COLUMN proofs TEXT NOT NULL DEFAULT '';
CREATE TABLE proofs (
    sha256  TEXT  NOT NULL PRIMARY KEY,
    kind    TEXT  NOT NULL,
    content BYTEA NOT NULL
);
CREATE TABLE tries (
    delivery    TEXT   NOT NULL,
    n           BIGINT NOT NULL,
    application TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    sent        BYTEA  NOT NULL,
    answer      BYTEA  NOT NULL,
    PRIMARY KEY (delivery, n)
);
CREATE INDEX tries_application ON tries (application);

-- +goose Down
DROP TABLE tries;
DROP TABLE proofs;
ALTER TABLE evidence DROP COLUMN proofs;
