-- A normalised schema: persons apart from applications, and a view between.
CREATE TABLE person (
    person_id INTEGER PRIMARY KEY AUTOINCREMENT,
    iin VARCHAR(12) NOT NULL UNIQUE,
    surname VARCHAR(80),
    given_name VARCHAR(80),
    source VARCHAR(10) NOT NULL
);
CREATE TABLE application (
    application_id INTEGER PRIMARY KEY AUTOINCREMENT,
    application_no VARCHAR(20) NOT NULL UNIQUE,
    service_code VARCHAR(10) NOT NULL,
    applicant_id INTEGER NOT NULL REFERENCES person (person_id),
    caretaker_id INTEGER REFERENCES person (person_id),
    office_code VARCHAR(60) NOT NULL,
    reason VARCHAR(500) NOT NULL,
    filed_at TEXT NOT NULL
);
-- What an application went through; the last row is its status.
CREATE TABLE application_status (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id INTEGER NOT NULL REFERENCES application (application_id),
    status VARCHAR(10) NOT NULL,
    changed_at TEXT NOT NULL
);
CREATE VIEW v_application AS
    SELECT a.application_id, a.application_no, a.service_code, a.applicant_id, a.caretaker_id, a.office_code, a.reason, a.filed_at, s.status, s.changed_at
    FROM application a JOIN application_status s ON s.application_id = a.application_id
    WHERE s.entry_id = (SELECT max(entry_id) FROM application_status l WHERE l.application_id = a.application_id);
CREATE TRIGGER v_application_insert INSTEAD OF INSERT ON v_application BEGIN
    INSERT INTO application (application_no, service_code, applicant_id, caretaker_id, office_code, reason, filed_at)
        VALUES (new.application_no, new.service_code, new.applicant_id, new.caretaker_id, new.office_code, new.reason, new.filed_at);
    INSERT INTO application_status (application_id, status, changed_at)
        SELECT application_id, new.status, new.changed_at FROM application WHERE application_no = new.application_no;
END;
CREATE TRIGGER v_application_update INSTEAD OF UPDATE ON v_application BEGIN
    INSERT INTO application_status (application_id, status, changed_at) VALUES (new.application_id, new.status, new.changed_at);
END;
CREATE TABLE application_document (
    document_id INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id INTEGER NOT NULL REFERENCES application (application_id),
    kind VARCHAR(40) NOT NULL,
    title VARCHAR(255),
    media_type VARCHAR(100),
    sha256 VARCHAR(64),
    content BLOB NOT NULL
);
