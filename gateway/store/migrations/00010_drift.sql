-- What partners send otherwise than it is described: one row a place, counted.

-- +goose Up
CREATE TABLE drifts (
    service  TEXT   NOT NULL,
    partner  TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    path     TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    times    BIGINT NOT NULL,
    message  TEXT   NOT NULL,
    PRIMARY KEY (service, partner, kind, path)
);

-- +goose Down
DROP TABLE drifts;
