-- Nothing asks by it since lanes have an index of their own, and every write paid for it.

-- +goose Up
DROP INDEX outbox_queued;

-- +goose Down
CREATE INDEX outbox_queued ON outbox (route, next_at) WHERE state = 'queued';
