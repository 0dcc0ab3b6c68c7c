-- Terms are counted and listed by office, service and step; what was told of
-- them is marked in columns, many at once; an application is late by its due
-- time: its column overdue is written for the version before and not read any
-- more. Rows from before have -1 and are filled at the next start from their
-- bodies, and so are those that a bridge of the version before ends meanwhile.

-- +goose Up
ALTER TABLE dues ADD COLUMN service TEXT NOT NULL DEFAULT '';
ALTER TABLE dues ADD COLUMN office TEXT NOT NULL DEFAULT '';
ALTER TABLE dues ADD COLUMN warn_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dues ADD COLUMN resume_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dues ADD COLUMN warned_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dues ADD COLUMN overdue_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dues ADD COLUMN done_at BIGINT NOT NULL DEFAULT -1;
ALTER TABLE dues ADD COLUMN took BIGINT NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN due_at BIGINT NOT NULL DEFAULT -1;
ALTER TABLE applications ADD COLUMN usual_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN slow_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX dues_open ON dues (office, service, step, due_at, warned_at, resume_at) WHERE done_at = 0;
CREATE INDEX dues_next ON dues (due_at, application) WHERE done_at = 0;
CREATE INDEX dues_resume ON dues (resume_at) WHERE resume_at > 0;
CREATE INDEX dues_pace ON dues (service, office, step, done_at, took) WHERE done_at > 0;
CREATE INDEX dues_unfilled ON dues (application) WHERE done_at < 0;
CREATE INDEX dues_stray ON dues (application) WHERE done_at = 0 AND tell_at = 0 AND overdue_at = 0 AND resume_at = 0;
CREATE INDEX applications_unfilled ON applications (number) WHERE due_at < 0;

-- +goose Down
DROP INDEX applications_unfilled;
DROP INDEX dues_stray;
DROP INDEX dues_unfilled;
DROP INDEX dues_pace;
DROP INDEX dues_resume;
DROP INDEX dues_next;
DROP INDEX dues_open;
ALTER TABLE applications DROP COLUMN slow_at;
ALTER TABLE applications DROP COLUMN usual_at;
ALTER TABLE applications DROP COLUMN due_at;
ALTER TABLE dues DROP COLUMN took;
ALTER TABLE dues DROP COLUMN done_at;
ALTER TABLE dues DROP COLUMN overdue_at;
ALTER TABLE dues DROP COLUMN warned_at;
ALTER TABLE dues DROP COLUMN resume_at;
ALTER TABLE dues DROP COLUMN warn_at;
ALTER TABLE dues DROP COLUMN office;
ALTER TABLE dues DROP COLUMN service;
