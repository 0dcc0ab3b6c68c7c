-- Which process claimed an idempotency key: what a dead one claimed is free.
-- Empty: a bridge of the version before claimed it.

-- +goose Up
ALTER TABLE replays ADD COLUMN process TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE replays DROP COLUMN process;
