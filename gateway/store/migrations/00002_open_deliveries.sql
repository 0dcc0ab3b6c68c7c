-- What is not delivered yet is counted at every scrape of the metrics.

-- +goose Up
CREATE INDEX outbox_open ON outbox (state, route, created_at) WHERE state IN ('queued', 'dead');

-- +goose Down
DROP INDEX outbox_open;
