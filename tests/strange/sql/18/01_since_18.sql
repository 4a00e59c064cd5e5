-- What PostgreSQL 18 added: virtual columns, temporal keys, constraints that are not enforced.

CREATE TABLE strange.virtual (
    a int, v int GENERATED ALWAYS AS (a + 1) VIRTUAL, s int GENERATED ALWAYS AS (a * 2) STORED, "odd ""virtual""" text GENERATED ALWAYS AS ('a' || a), z int
);
INSERT INTO strange.virtual (a, z) VALUES (1, 1), (NULL, 2), (1073741823, 3);
-- Nobody computed this one yet, so nobody noticed. A dump does not compute it either.
CREATE TABLE strange.virtual_that_fails (a int, v int GENERATED ALWAYS AS (10 / a) VIRTUAL);
INSERT INTO strange.virtual_that_fails VALUES (0), (2);
CREATE TABLE strange.only_virtual (v int GENERATED ALWAYS AS (7) VIRTUAL);
INSERT INTO strange.only_virtual DEFAULT VALUES;

CREATE TABLE strange.rooms (id int4range, valid tstzrange, number int4range, CONSTRAINT rooms_key PRIMARY KEY (id, valid WITHOUT OVERLAPS), UNIQUE (number, valid WITHOUT OVERLAPS));
CREATE TABLE strange.stays (id int, room int4range, during tstzrange, CONSTRAINT in_room FOREIGN KEY (room, PERIOD during) REFERENCES strange.rooms (id, PERIOD valid));
INSERT INTO strange.rooms VALUES ('[1,2)', '[2020-01-01 00:00+00,2021-01-01 00:00+00)', '[7,8)'), ('[1,2)', '[2021-01-01 00:00+00,)', NULL);
INSERT INTO strange.stays VALUES (1, '[1,2)', '[2020-06-01 00:00+00,2021-06-01 00:00+00)');

CREATE TABLE strange.not_enforced (i int CONSTRAINT wished CHECK (i > 0) NOT ENFORCED, r int CONSTRAINT loose REFERENCES strange.hens NOT ENFORCED);
INSERT INTO strange.not_enforced VALUES (-1, 999999);
CREATE TABLE strange.not_nulls (
    a int CONSTRAINT "named ""not null""" NOT NULL, b int CONSTRAINT only_here NOT NULL NO INHERIT, c int
);
INSERT INTO strange.not_nulls VALUES (1, 2, NULL);
ALTER TABLE strange.not_nulls ADD CONSTRAINT later NOT NULL c NOT VALID;
COMMENT ON CONSTRAINT "named ""not null""" ON strange.not_nulls IS 'a constraint with a name';
CREATE TABLE strange.inherits_not_nulls (d int) INHERITS (strange.not_nulls);
INSERT INTO strange.inherits_not_nulls VALUES (1, NULL, 3, 4);

CREATE COLLATION strange.fast (PROVIDER = builtin, LOCALE = 'PG_UNICODE_FAST');
CREATE TABLE strange.since_18 (id uuid DEFAULT uuidv7() PRIMARY KEY, t text COLLATE strange.fast CHECK (casefold(t) <> 'x'));
INSERT INTO strange.since_18 (t) SELECT 'Straße ' || i FROM generate_series(1, 10) i;
CREATE FUNCTION strange.old_and_new() RETURNS TABLE (a int, b int) LANGUAGE sql BEGIN ATOMIC
    UPDATE strange.not_valid SET i = 1 WHERE false RETURNING old.i, new.i;
END;
CREATE PUBLICATION strange_generated FOR TABLE strange.generated WITH (publish_generated_columns = stored);
ALTER DEFAULT PRIVILEGES FOR ROLE strange_owner GRANT SELECT ON LARGE OBJECTS TO strange_reader;
CREATE FOREIGN TABLE strange.virtual_abroad (a int, v int GENERATED ALWAYS AS (a + 1) VIRTUAL) SERVER strange_bare;
