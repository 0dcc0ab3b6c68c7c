-- Offers lead to no application, and answers are counts of a month: neither
-- says who answered what.

-- +goose Up
CREATE TABLE questionnaire_offers (
    token_hash TEXT NOT NULL PRIMARY KEY,
    service    TEXT NOT NULL,
    channel    TEXT NOT NULL
);
CREATE TABLE questionnaire_answers (
    service  TEXT   NOT NULL,
    channel  TEXT   NOT NULL,
    month    TEXT   NOT NULL,
    question TEXT   NOT NULL,
    answer   BIGINT NOT NULL,
    people   BIGINT NOT NULL,
    PRIMARY KEY (service, channel, month, question, answer)
);

-- +goose Down
DROP TABLE questionnaire_answers;
DROP TABLE questionnaire_offers;
