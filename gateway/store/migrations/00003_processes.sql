-- Several bridges over one PostgreSQL know each other by these tables; an SQLite
-- database has one bridge and leaves them empty.

-- +goose Up
CREATE TABLE processes (
    id      TEXT   NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL, -- by the database's clock
    commits BIGINT NOT NULL  -- transactions of this process that were committed
);

CREATE TABLE leaders (
    name     TEXT   NOT NULL PRIMARY KEY,
    process  TEXT   NOT NULL,
    until_at BIGINT NOT NULL
);

ALTER TABLE outbox ADD COLUMN process TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE outbox DROP COLUMN process;
DROP TABLE leaders;
DROP TABLE processes;
