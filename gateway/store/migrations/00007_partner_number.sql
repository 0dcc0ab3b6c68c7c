-- The number that a partner's own system gave, for finding an application by
-- either of its numbers. What came before is found by the first of its next changes.

-- +goose Up
ALTER TABLE applications ADD COLUMN partner_number TEXT NOT NULL DEFAULT '';
CREATE INDEX applications_partner_number ON applications (partner_number);

-- +goose Down
DROP INDEX applications_partner_number;
ALTER TABLE applications DROP COLUMN partner_number;
