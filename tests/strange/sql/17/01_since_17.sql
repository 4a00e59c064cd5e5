-- What PostgreSQL 17 added.

INSERT INTO strange.times (i) VALUES ('infinity'), ('-infinity');
CREATE COLLATION strange.builtin (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE TABLE strange.since_17 (
    id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 10), at tstzrange NOT NULL, kind int4range, t text COLLATE strange.builtin,
    PRIMARY KEY (id, kind)
) PARTITION BY LIST (kind);
CREATE TABLE strange.since_17_a PARTITION OF strange.since_17 FOR VALUES IN ('[1,2)');
CREATE TABLE strange.since_17_other PARTITION OF strange.since_17 DEFAULT USING strange_heap;
INSERT INTO strange.since_17 (at, kind, t) VALUES ('[2020-01-01 00:00+00,2020-01-02 00:00+00)', '[1,2)', 'ä'), ('empty', '[5,6)', 'z');
CREATE TABLE strange.partitioned_on_another_heap (i int) PARTITION BY LIST (i) USING strange_heap;
CREATE TABLE strange.partition_on_another_heap PARTITION OF strange.partitioned_on_another_heap FOR VALUES IN (1);
INSERT INTO strange.partitioned_on_another_heap VALUES (1), (1);
CREATE VIEW strange.json_since_17 AS
    SELECT jt.* FROM strange.documents d, JSON_TABLE(d.b, '$[*]' AS root COLUMNS (
        n FOR ORDINALITY, a int PATH '$.a' DEFAULT 7 ON EMPTY ERROR ON ERROR, "odd ""name""" text FORMAT JSON PATH '$', NESTED PATH '$.b[*]' AS inner_path COLUMNS (x text PATH '$'))) AS jt;
CREATE VIEW strange.json_queries AS
    SELECT JSON_VALUE(b, '$.a' RETURNING int NULL ON ERROR) AS v, JSON_QUERY(b, '$' WITH CONDITIONAL WRAPPER KEEP QUOTES) AS q, JSON_EXISTS(b, '$.x' TRUE ON ERROR) AS e,
        JSON_SERIALIZE(j RETURNING bytea) AS s, JSON_SCALAR(id) AS sc
    FROM strange.documents;
CREATE FUNCTION strange.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1; END$$;
CREATE EVENT TRIGGER strange_login ON login EXECUTE FUNCTION strange.on_login();
CREATE FUNCTION strange.merges() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC
    MERGE INTO strange.same AS s USING (VALUES (1, 'x')) AS v (i, t) ON s.i = v.i WHEN MATCHED AND s.t = v.t THEN DELETE
        WHEN NOT MATCHED BY SOURCE AND s.i < 0 THEN UPDATE SET t = 'y' WHEN NOT MATCHED THEN INSERT VALUES (v.i, v.t) RETURNING merge_action() || s.t;
END;
GRANT MAINTAIN ON strange.texts TO strange_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE strange_owner GRANT MAINTAIN ON TABLES TO strange_group;
CREATE SUBSCRIPTION strange_since_17 CONNECTION 'host=nowhere.invalid password=x' PUBLICATION p WITH (connect = false, slot_name = NONE, enabled = false, failover = true);
