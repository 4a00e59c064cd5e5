-- What PostgreSQL 16 added.

CREATE TABLE strange.since_16 (
    id int PRIMARY KEY, big text STORAGE EXTERNAL, j text CHECK (j IS JSON OBJECT WITH UNIQUE KEYS), h int DEFAULT 0xFF, u bigint DEFAULT 1_000_000
);
INSERT INTO strange.since_16 (id, big, j) SELECT i, repeat('x', 5000), format('{"a": %s}', i) FROM generate_series(1, 5) i;
CREATE VIEW strange.json_since_16 AS
    SELECT JSON_OBJECT('id' : id, 'j' : j NULL ON NULL RETURNING jsonb) AS o, JSON_ARRAY(id, h ABSENT ON NULL) AS a, j IS JSON SCALAR AS s,
        (SELECT any_value(x.h) FROM strange.since_16 x), (SELECT JSON_ARRAYAGG(y.id ORDER BY y.id DESC RETURNING text) FROM strange.since_16 y)
    FROM strange.since_16;
CREATE SUBSCRIPTION strange_since_16 CONNECTION 'host=nowhere.invalid password=x' PUBLICATION p
    WITH (connect = false, slot_name = NONE, enabled = false, streaming = parallel, password_required = false, run_as_owner = true, origin = none);
