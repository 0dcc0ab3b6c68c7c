-- How much of the refused messages of a sender was kept whole on a day (days
-- since 1970, UTC), and of how many only digest, size and verdict: those have
-- keeping = 3.

-- +goose Up
CREATE TABLE refusals (
    sender   TEXT   NOT NULL,
    day      BIGINT NOT NULL,
    bytes    BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    cut      BIGINT NOT NULL,
    PRIMARY KEY (sender, day)
);
CREATE INDEX messages_cut ON messages (at) WHERE application = '' AND keeping = 3;

-- +goose Down
DROP INDEX messages_cut;
DROP TABLE refusals;
