-- Which records of the journal lie in files, not here any more: of the last one
-- the row stays, with its checkpoint, and the next record names its hash.

-- +goose Up
CREATE TABLE journal_segments (
    last   BIGINT NOT NULL PRIMARY KEY,
    first  BIGINT NOT NULL,
    hash   BYTEA  NOT NULL,
    file   TEXT   NOT NULL,
    sha256 BYTEA  NOT NULL
);

-- +goose Down
-- An older version would find a journal without its beginning: this fails, by
-- its name, while there is anything in files.
CREATE TABLE records_of_the_journal_lie_in_files (n BIGINT NOT NULL CHECK (n = 0));
INSERT INTO records_of_the_journal_lie_in_files SELECT COUNT(*) FROM journal_segments;
DROP TABLE records_of_the_journal_lie_in_files;
DROP TABLE journal_segments;
