-- Deliveries by the peer that they go to, and why they failed. blocked marks
-- what waits behind a dead letter, so that nobody looks at it in vain; a bridge
-- of the version before does not know it, and the claim does not trust it.

-- +goose Up
ALTER TABLE outbox ADD COLUMN lane TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN blocked SMALLINT NOT NULL DEFAULT 0;
UPDATE outbox SET blocked = 1 WHERE state = 'queued' AND EXISTS (SELECT 1 FROM outbox p
    WHERE p.application = outbox.application AND p.route = outbox.route AND p.seq < outbox.seq AND p.state = 'dead');
CREATE INDEX outbox_lane ON outbox (route, lane, next_at, id) WHERE state = 'queued' AND blocked = 0;
CREATE INDEX outbox_blocked ON outbox (application, route) WHERE blocked = 1;
CREATE INDEX outbox_dead ON outbox (route, lane, cause, code, failed_at) WHERE state = 'dead';

-- +goose Down
DROP INDEX outbox_dead;
DROP INDEX outbox_blocked;
DROP INDEX outbox_lane;
ALTER TABLE outbox DROP COLUMN blocked;
ALTER TABLE outbox DROP COLUMN failed_at;
ALTER TABLE outbox DROP COLUMN code;
ALTER TABLE outbox DROP COLUMN cause;
ALTER TABLE outbox DROP COLUMN lane;
