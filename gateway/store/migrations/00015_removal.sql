-- What became of the content of an application that is over (archived, erased),
-- and how the reply to its message is kept: 0 as it was, 1 sealed under the bytes
-- of the message, 2 not any more.

-- +goose Up
ALTER TABLE applications ADD COLUMN removed TEXT NOT NULL DEFAULT '';
CREATE INDEX applications_over ON applications (received_at, number) WHERE state IN ('completed', 'refused') AND removed <> 'erased';
ALTER TABLE messages ADD COLUMN keeping SMALLINT NOT NULL DEFAULT 0;
CREATE INDEX messages_alone ON messages (at) WHERE application = '' AND keeping = 0;
CREATE INDEX messages_sealed ON messages (at) WHERE keeping = 1;

-- +goose Down
DROP INDEX messages_sealed;
DROP INDEX messages_alone;
ALTER TABLE messages DROP COLUMN keeping;
DROP INDEX applications_over;
ALTER TABLE applications DROP COLUMN removed;
