-- Partners that speak REST: whose an application is, the list of the notices to
-- each in the order of writing, and the nonces of their signed requests. The
-- columns of what came before stay empty: it came from others.

-- +goose Up
ALTER TABLE applications ADD COLUMN sender TEXT NOT NULL DEFAULT '';
CREATE INDEX applications_sender ON applications (sender, received_at);
ALTER TABLE outbox ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX outbox_place ON outbox (receiver, place) WHERE place > 0;
CREATE TABLE nonces (
    signer   TEXT   NOT NULL,
    nonce    TEXT   NOT NULL,
    until_at BIGINT NOT NULL,
    PRIMARY KEY (signer, nonce)
);
CREATE INDEX nonces_until ON nonces (until_at);

-- +goose Down
DROP TABLE nonces;
DROP INDEX outbox_place;
ALTER TABLE outbox DROP COLUMN place;
ALTER TABLE outbox DROP COLUMN receiver;
DROP INDEX applications_sender;
ALTER TABLE applications DROP COLUMN sender;
