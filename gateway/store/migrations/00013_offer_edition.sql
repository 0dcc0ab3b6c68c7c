-- A questionnaire names the service as the edition did under which the
-- application was filed. Offers made before name its first.

-- +goose Up
ALTER TABLE questionnaire_offers ADD COLUMN edition TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE questionnaire_offers DROP COLUMN edition;
