-- A normalised schema: persons apart from applications, and a view between.
CREATE TABLE person (
    person_id BIGINT AUTO_INCREMENT PRIMARY KEY,
    iin VARCHAR(12) NOT NULL UNIQUE,
    surname VARCHAR(80),
    given_name VARCHAR(80),
    source VARCHAR(10) NOT NULL
) ENGINE=InnoDB;
CREATE TABLE application (
    application_id BIGINT AUTO_INCREMENT PRIMARY KEY,
    application_no VARCHAR(20) NOT NULL UNIQUE,
    service_code VARCHAR(10) NOT NULL,
    applicant_id BIGINT NOT NULL REFERENCES person (person_id),
    caretaker_id BIGINT REFERENCES person (person_id),
    office_code VARCHAR(60) NOT NULL,
    reason VARCHAR(500) NOT NULL,
    filed_at DATETIME(6) NOT NULL,
    status VARCHAR(10) NOT NULL,
    changed_at DATETIME(6)
) ENGINE=InnoDB;
-- MariaDB knows no triggers of views; a view over one table takes rows by itself.
CREATE VIEW v_application AS SELECT * FROM application WHERE service_code = 'CARE' WITH CHECK OPTION;
CREATE TABLE application_document (
    document_id BIGINT AUTO_INCREMENT PRIMARY KEY,
    application_id BIGINT NOT NULL REFERENCES application (application_id),
    kind VARCHAR(40) NOT NULL,
    title VARCHAR(255),
    media_type VARCHAR(100),
    sha256 VARCHAR(64),
    content MEDIUMBLOB NOT NULL
) ENGINE=InnoDB;
