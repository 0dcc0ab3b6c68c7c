-- Each registry has a route of its own, named as the registry is, and what it
-- said is kept beside the answer as it came.

-- +goose Up
UPDATE outbox SET route = 'gbd-fl', body = REPLACE(body, '"route":"registry"', '"route":"gbd-fl"') WHERE route = 'registry';
ALTER TABLE evidence ADD COLUMN finding TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE evidence DROP COLUMN finding;
UPDATE outbox SET route = 'registry', body = REPLACE(body, '"route":"gbd-fl"', '"route":"registry"') WHERE route = 'gbd-fl';
