-- Tables of an akimat that writes Russian with Latin letters.
CREATE TABLE spr_otdely (id SERIAL PRIMARY KEY, kod VARCHAR(60) NOT NULL UNIQUE, naimenovanie VARCHAR(200) NOT NULL);
CREATE TABLE spr_sostoyaniya (id SERIAL PRIMARY KEY, kod VARCHAR(3) NOT NULL UNIQUE, naimenovanie VARCHAR(60) NOT NULL);
CREATE TABLE spr_lagerya (kod CHAR(5) NOT NULL PRIMARY KEY, naimenovanie_ru VARCHAR(200) NOT NULL, naimenovanie_kz VARCHAR(200));
CREATE TABLE putevki (
    nomer_zayavleniya VARCHAR(30) NOT NULL PRIMARY KEY,
    iin_zayavitelya VARCHAR(12) NOT NULL,
    familiya VARCHAR(80) NOT NULL,
    imya VARCHAR(80) NOT NULL,
    otdel_id INTEGER NOT NULL REFERENCES spr_otdely (id),
    kod_lagerya CHAR(5) NOT NULL REFERENCES spr_lagerya (kod),
    data_zaezda DATE NOT NULL,
    lgota BOOLEAN,
    yazyk VARCHAR(2) DEFAULT 'ru',
    data_podachi TIMESTAMPTZ NOT NULL,
    sostoyanie_id INTEGER NOT NULL REFERENCES spr_sostoyaniya (id),
    prichina_otkaza VARCHAR(1000)
);
CREATE TABLE putevki_deti (
    nomer_zayavleniya VARCHAR(30) NOT NULL REFERENCES putevki (nomer_zayavleniya),
    nomer_pp SMALLINT NOT NULL,
    iin_rebenka VARCHAR(12) NOT NULL,
    PRIMARY KEY (nomer_zayavleniya, nomer_pp)
);
INSERT INTO spr_otdely VALUES (7, 'almaty-almaly-district-department', 'Алмалинский район');
INSERT INTO spr_sostoyaniya VALUES (1, 'NOV', 'новое'), (2, 'RAB', 'в работе'), (3, 'ISP', 'исполнено'), (4, 'OTK', 'отказано');
INSERT INTO spr_lagerya VALUES ('L1', 'Лагерь «Солнечный»', 'Күншуақ лагері'), ('L2', 'Лагерь «Горный»', NULL);
