-- Collations of ICU; a nondeterministic one makes unequal texts equal, also to a unique key.
CREATE COLLATION strange.german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE COLLATION strange."any case" (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
COMMENT ON COLLATION strange."any case" IS 'A = a';
CREATE TABLE strange.collated (g text COLLATE strange.german, c text COLLATE strange."any case" UNIQUE, n text COLLATE "de-AT-x-icu");
INSERT INTO strange.collated VALUES ('Ärger', 'A', 'ß'), ('Arger', 'b', 'ss'), (NULL, NULL, NULL);
CREATE INDEX ON strange.collated (g COLLATE "sv-x-icu" DESC);
CREATE TABLE strange.by_case (c text COLLATE strange."any case") PARTITION BY LIST (c);
CREATE TABLE strange.by_case_a PARTITION OF strange.by_case FOR VALUES IN ('A');
INSERT INTO strange.by_case VALUES ('a'), ('A');
