-- behind marks what waits behind another of its application and route, so that a
-- claim, and the question when the next is due, read the first of each line only,
-- however much waits. A bridge of the version before neither sets nor reads it: the
-- claim does not trust it, and what it leaves wrong is mended.

-- +goose Up
ALTER TABLE outbox ADD COLUMN behind SMALLINT NOT NULL DEFAULT 0;
UPDATE outbox SET behind = 1 WHERE state = 'queued' AND EXISTS (SELECT 1 FROM outbox p
    WHERE p.application = outbox.application AND p.route = outbox.route AND p.seq < outbox.seq AND p.state IN ('queued', 'dead'));
CREATE INDEX outbox_head ON outbox (route, lane, next_at, id) WHERE state = 'queued' AND blocked = 0 AND behind = 0;
DROP INDEX outbox_lane;

-- +goose Down
CREATE INDEX outbox_lane ON outbox (route, lane, next_at, id) WHERE state = 'queued' AND blocked = 0;
DROP INDEX outbox_head;
ALTER TABLE outbox DROP COLUMN behind;
