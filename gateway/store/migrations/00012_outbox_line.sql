-- +goose Up
-- The first of a line is found by it, however long the line's past is.
CREATE INDEX outbox_line ON outbox (application, route, seq) WHERE state IN ('queued', 'dead');

-- +goose Down
DROP INDEX outbox_line;
