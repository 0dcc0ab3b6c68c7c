-- Before other descriptions are taken over it is asked which editions
-- applications still need. Rows from before have none here, only in their body.

-- +goose Up
ALTER TABLE applications ADD COLUMN edition TEXT NOT NULL DEFAULT '';
CREATE INDEX applications_running ON applications (service, edition) WHERE state NOT IN ('completed', 'refused');

-- +goose Down
DROP INDEX applications_running;
ALTER TABLE applications DROP COLUMN edition;
