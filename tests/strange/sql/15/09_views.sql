-- Views on views on materialised views, rules.

CREATE VIEW strange.simple_view AS SELECT * FROM strange.texts;
CREATE VIEW strange."odd ""view""; --" ("a ""b""", "two
lines", "ü") AS SELECT id, t, 'it''s' FROM strange.simple_view;
CREATE VIEW strange.secure WITH (security_barrier, security_invoker = true) AS SELECT * FROM strange.secrets WHERE id > 0;
CREATE VIEW strange.checked AS SELECT id, code FROM strange.secrets WHERE id < 100 WITH CASCADED CHECK OPTION;
CREATE VIEW strange.checked_locally WITH (check_option = local) AS SELECT id FROM strange.checked WHERE id > 0;
ALTER VIEW strange.checked ALTER id SET DEFAULT 5;
-- Grouping by the key alone makes the view depend on the key.
CREATE TABLE strange.with_key (id int PRIMARY KEY, a text, b text);
INSERT INTO strange.with_key SELECT i, 'a' || i, 'b' || i FROM generate_series(1, 10) i;
CREATE VIEW strange.grouped AS SELECT id, a, b, count(*) AS n FROM strange.with_key GROUP BY id;
CREATE VIEW strange.on_grouped AS SELECT n, sum(id) FROM strange.grouped GROUP BY n;
CREATE RECURSIVE VIEW strange.counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 10;
CREATE VIEW strange.long AS
    WITH a AS MATERIALIZED (SELECT i FROM strange.indexed), b AS NOT MATERIALIZED (TABLE a)
    SELECT DISTINCT ON (b.i) b.i, row_number() OVER w AS r, lag(t, 1, 'x') OVER (PARTITION BY b.i % 3 ORDER BY b.i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES),
        count(*) FILTER (WHERE b.i > 3) OVER (), CASE b.i WHEN 1 THEN 'one' ELSE NULL END, (SELECT max(x.id) FROM strange.texts x), ARRAY(SELECT 1), (ROW(1, 2)).f1,
        b.i IS DISTINCT FROM 3 AS "d i", x.*
    FROM b LEFT JOIN strange.indexed USING (i) CROSS JOIN LATERAL (VALUES (b.i, 'x')) AS x ("c d", e)
    WINDOW w AS (ORDER BY b.i DESC NULLS LAST) ORDER BY b.i, r DESC FETCH FIRST 5 ROWS WITH TIES;
CREATE VIEW strange.sampled AS SELECT * FROM strange.indexed TABLESAMPLE bernoulli (50) REPEATABLE (1);
CREATE VIEW strange.of_functions AS
    SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS f (a, b, "o d"), strange.rows_of('sad') AS r;
CREATE VIEW strange.operators AS SELECT p OPERATOR(strange.<<<) 5 AS x, p::text AS t, strange.total(i) FROM strange.by_class GROUP BY p;
ALTER VIEW strange.simple_view OWNER TO strange_owner;
COMMENT ON VIEW strange.simple_view IS 'all of it';
COMMENT ON COLUMN strange.simple_view.t IS 'a view''s column';

CREATE MATERIALIZED VIEW strange.material AS SELECT kind, count(*) AS n, max(at) AS last FROM strange.events GROUP BY kind;
CREATE UNIQUE INDEX ON strange.material (kind);
CREATE VIEW strange.on_material AS SELECT kind || '!' AS k, n FROM strange.material;
CREATE MATERIALIZED VIEW strange."material ""on"" view" WITH (fillfactor = 80) TABLESPACE "strange Spaçe" AS SELECT k, sum(n) FROM strange.on_material GROUP BY k;
CREATE VIEW strange.on_top AS SELECT * FROM strange."material ""on"" view", strange.grouped;
CREATE MATERIALIZED VIEW strange.top_material AS SELECT count(*) FROM strange.on_top;
CREATE MATERIALIZED VIEW strange.never_filled AS SELECT * FROM strange.texts WITH NO DATA;
CREATE MATERIALIZED VIEW strange.on_never_filled AS SELECT count(*) FROM strange.never_filled WITH NO DATA;
CREATE INDEX ON strange.never_filled (id);
CREATE MATERIALIZED VIEW strange.of_key AS SELECT id, a FROM strange.with_key GROUP BY id;
COMMENT ON MATERIALIZED VIEW strange.material IS 'kinds of events';
-- A restore refreshes it as its owner, who must be allowed to read what it reads.
ALTER MATERIALIZED VIEW strange.material OWNER TO strange_owner;
GRANT SELECT ON strange.events TO strange_owner;
ALTER MATERIALIZED VIEW strange.material CLUSTER ON material_kind_idx;

CREATE TABLE strange.ruled (i int, t text);
CREATE RULE "also log" AS ON INSERT TO strange.ruled DO ALSO INSERT INTO strange.same VALUES (new.i, 'rule');
CREATE RULE nothing AS ON DELETE TO strange.ruled WHERE old.i > 5 DO INSTEAD NOTHING;
CREATE RULE "two ""things""" AS ON UPDATE TO strange.ruled DO INSTEAD (DELETE FROM strange.ruled WHERE i = old.i; NOTIFY "odd channel");
CREATE RULE disabled AS ON UPDATE TO strange.ruled DO ALSO NOTIFY never;
ALTER TABLE strange.ruled DISABLE RULE disabled, ENABLE ALWAYS RULE nothing, ENABLE REPLICA RULE "also log";
INSERT INTO strange.ruled VALUES (1, 'one'), (9, 'nine');
CREATE RULE insertable AS ON INSERT TO strange.grouped DO INSTEAD INSERT INTO strange.with_key VALUES (new.id, new.a, new.b) RETURNING id, a, b, 1::bigint;
COMMENT ON RULE nothing ON strange.ruled IS 'does nothing';
