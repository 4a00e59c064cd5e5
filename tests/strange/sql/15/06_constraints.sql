-- Constraints and indexes: deferrable, circular, exclusion, not valid; every kind of index.

CREATE TABLE strange.hens (id int PRIMARY KEY, egg int NOT NULL, mother int, UNIQUE (egg) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE strange.eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES strange.hens DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE strange.hens
    ADD CONSTRAINT "egg first" FOREIGN KEY (egg) REFERENCES strange.eggs ON UPDATE CASCADE ON DELETE RESTRICT DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT self FOREIGN KEY (mother) REFERENCES strange.hens (id) ON DELETE SET NULL;
ALTER TABLE strange.hens ALTER CONSTRAINT "egg first" DEFERRABLE INITIALLY DEFERRED;
INSERT INTO strange.hens SELECT i, 101 - i, NULLIF(i - 1, 0) FROM generate_series(1, 100) i;
INSERT INTO strange.eggs SELECT i, 101 - i FROM generate_series(1, 100) i;
SET CONSTRAINTS ALL IMMEDIATE;
COMMENT ON CONSTRAINT "egg first" ON strange.hens IS 'or the hen?';

CREATE TABLE strange.tenants (tenant int, id int, name text, PRIMARY KEY (tenant, id) INCLUDE (name), UNIQUE NULLS NOT DISTINCT (name));
CREATE TABLE strange.tenant_rows (
    tenant int, ref int, other int,
    FOREIGN KEY (tenant, ref) REFERENCES strange.tenants ON DELETE SET NULL (ref),
    CONSTRAINT full_match FOREIGN KEY (tenant, other) REFERENCES strange.tenants MATCH FULL ON DELETE SET DEFAULT ON UPDATE NO ACTION
);
INSERT INTO strange.tenants VALUES (1, 1, 'a'), (1, 2, NULL), (2, 1, '');
INSERT INTO strange.tenant_rows VALUES (1, 1, 2), (NULL, 5, NULL), (1, NULL, 1);
CREATE TABLE strange.event_notes (id bigint, at timestamptz, kind text, FOREIGN KEY (id, at, kind) REFERENCES strange.events);
INSERT INTO strange.event_notes SELECT id, at, kind FROM strange.events LIMIT 20;
ALTER TABLE strange.events ADD COLUMN tenant int, ADD COLUMN ref int, ADD FOREIGN KEY (tenant, ref) REFERENCES strange.tenants;

CREATE TABLE strange.not_valid (i int, r int);
INSERT INTO strange.not_valid VALUES (-1, 999), (1, NULL);
ALTER TABLE strange.not_valid ADD CONSTRAINT positive CHECK (i > 0) NOT VALID, ADD CONSTRAINT dangling FOREIGN KEY (r) REFERENCES strange.hens NOT VALID;

CREATE TABLE strange.bookings (
    room int4range, during tstzrange, area box, cancelled boolean,
    CONSTRAINT one_at_a_time EXCLUDE USING gist (during WITH &&, room WITH &&) WHERE (NOT cancelled) DEFERRABLE INITIALLY DEFERRED,
    EXCLUDE USING gist (area WITH OPERATOR(pg_catalog.~=)),
    EXCLUDE USING hash (room WITH =) WITH (fillfactor = 50)
);
INSERT INTO strange.bookings VALUES ('[1,2)', '[2020-01-01 00:00+00,2020-01-02 00:00+00)', '(1,1),(0,0)', false), ('[2,3)', 'empty', NULL, NULL);

CREATE TABLE strange.checks (
    a int, b int, t text, CONSTRAINT "a < b; -- ""really""" CHECK (a < b), CHECK (strange.is_even(a) IS NOT FALSE OR b > 5),
    CHECK (t ~ '^[^\\]*$' AND t <> 'it''s'), CONSTRAINT whole_row CHECK (checks IS NOT NULL OR true), CHECK (t IN ('x', 'y', 'z') OR (t IS NULL))
);
-- PostgreSQL writes this check in one way, reads it, and from then on writes it in another.
ALTER TABLE strange.checks ADD v varchar(3) CHECK (v IN ('a', 'b''c', 'd'));
INSERT INTO strange.checks VALUES (2, 3, 'x'), (NULL, NULL, NULL), (1, 9, 'y');

-- A check and an index whose function names its schema, and ones whose function brings its own search path.
CREATE TABLE strange.known_codes (code text PRIMARY KEY);
INSERT INTO strange.known_codes VALUES ('a'), ('b');
CREATE FUNCTION strange.norm(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN pg_catalog.lower(strange.shout(t)); END$$;
CREATE FUNCTION strange.norm_by_path(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = strange, pg_temp AS $$BEGIN RETURN norm(t); END$$;
CREATE TABLE strange.with_functions (t text CHECK (strange.norm(t) <> 'x!'), CHECK (strange.norm_by_path(t) <> 'y!'));
CREATE INDEX "by function" ON strange.with_functions (strange.norm(t));
CREATE INDEX "by path" ON strange.with_functions (strange.norm_by_path(t) DESC) WHERE strange.norm_by_path(t) > '';
INSERT INTO strange.with_functions VALUES ('a'), ('B'), (NULL);

CREATE TABLE strange.indexed (
    i int, t text, u text COLLATE "C", a int[], j jsonb, v tsvector, p point, r int4range, ip inet, c char(3), at timestamp, "odd ""column""" int
) WITH (fillfactor = 90);
INSERT INTO strange.indexed
SELECT i, 't' || i, 'u' || i, ARRAY[i, i + 1], jsonb_build_object('i', i), to_tsvector('english', 'word ' || i), point(i, -i), int4range(i, i + 5),
       ('10.0.0.' || i)::inet, 'c', '2020-01-01'::timestamp + i * interval '1 day', i
FROM generate_series(1, 200) i;
CREATE INDEX ON strange.indexed (i DESC NULLS LAST, t text_pattern_ops, u COLLATE "C" ASC NULLS FIRST);
CREATE UNIQUE INDEX "unique; partial ""odd""" ON strange.indexed ((i + 1), lower(t)) INCLUDE (c, at) WHERE i > 100 AND t LIKE 't%';
CREATE INDEX ON strange.indexed USING hash (t) WITH (fillfactor = 60);
CREATE INDEX ON strange.indexed USING gin (a, j jsonb_path_ops) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX ON strange.indexed USING gist (p, r) WITH (buffering = on);
CREATE INDEX ON strange.indexed USING gist (v tsvector_ops (siglen = 100));
CREATE INDEX ON strange.indexed USING spgist (ip inet_ops);
CREATE INDEX ON strange.indexed USING brin (at timestamp_minmax_multi_ops (values_per_range = 16), i int4_bloom_ops (n_distinct_per_range = 100)) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX in_space ON strange.indexed ("odd ""column""") WITH (deduplicate_items = off) TABLESPACE "strange Spaçe";
CREATE INDEX expressions ON strange.indexed ((i * 2), (t || u), (j ->> 'i'));
ALTER INDEX strange.expressions ALTER COLUMN 1 SET STATISTICS 500;
CREATE OPERATOR CLASS strange.boxes DEFAULT FOR TYPE box USING strange_gist AS
    OPERATOR 3 &&, FUNCTION 1 gist_box_consistent(internal, box, int2, oid, internal), FUNCTION 2 gist_box_union(internal, internal),
    FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal);
CREATE INDEX ON strange.bookings USING strange_gist (area);
COMMENT ON INDEX strange.expressions IS 'three of them';
ALTER TABLE strange.indexed CLUSTER ON in_space;
CREATE UNIQUE INDEX to_be_key ON strange.identities (big);
ALTER TABLE strange.identities ADD CONSTRAINT "key from index" UNIQUE USING INDEX to_be_key;
ALTER TABLE strange.identities ALTER small SET NOT NULL;
CREATE UNIQUE INDEX identity_index ON strange.identities (small);
ALTER TABLE strange.identities REPLICA IDENTITY USING INDEX identity_index;
ALTER TABLE strange.texts REPLICA IDENTITY FULL;
ALTER TABLE strange.arrays REPLICA IDENTITY NOTHING;
