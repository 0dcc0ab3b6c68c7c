-- What is asked often reads little, however many years lie in the tables. application
-- says of an answer to an idempotency key what it is about; of those that say
-- nothing (NULL), and of those of the version before, their content tells.

-- +goose Up
ALTER TABLE replays ADD COLUMN application TEXT;
CREATE INDEX replays_application ON replays (application);
CREATE INDEX replays_answered ON replays (claimed_to) WHERE answer IS NOT NULL;
CREATE INDEX applications_open ON applications (received_at, number) WHERE state NOT IN ('completed', 'refused');
CREATE INDEX applications_office ON applications (office, received_at, number);
CREATE INDEX applications_channel ON applications (channel, received_at, number);
CREATE INDEX applications_here ON applications (received_at, number) WHERE state IN ('completed', 'refused') AND removed = '';
CREATE INDEX outbox_dropped ON outbox (created_at, id) WHERE state = 'dropped';

-- +goose Down
DROP INDEX outbox_dropped;
DROP INDEX applications_here;
DROP INDEX applications_channel;
DROP INDEX applications_office;
DROP INDEX applications_open;
DROP INDEX replays_answered;
DROP INDEX replays_application;
ALTER TABLE replays DROP COLUMN application;
