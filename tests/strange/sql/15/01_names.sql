-- Names: quotes, dots, spaces, line breaks, non-ASCII, 63 bytes, upper case, reserved words.

CREATE SCHEMA strange AUTHORIZATION strange_owner;
COMMENT ON SCHEMA strange IS E'it''s a "comment" with \\ backslash,\nline break, tab\t, $$ and ünï©ode 🐘';
CREATE SCHEMA "Strange Schema.with ""quotes""; -- and dots";
CREATE SCHEMA "select" AUTHORIZATION "strange role with spaces";
CREATE SCHEMA "схема" AUTHORIZATION "Strange ""quoted"" röle; --";
CREATE SCHEMA empty_schema;
CREATE SCHEMA "pg";

CREATE TABLE "Strange Schema.with ""quotes""; -- and dots"."Table.with ""quotes""; DROP TABLE x; --" (
    "Column.with ""quotes"", comma, (parens)" int PRIMARY KEY,
    "column with
line break" text DEFAULT E'default with ''quotes'', \\backslash\\ and\nline break',
    "	tab" text,
    "%s %I {} $1 \ \\" text,
    "SELECT" text, "from" text, "select" text, "user" text, "table" text, "end" text,
    "ünïcödé ""ñ"" 象 🐘" text,
    " " text, "  leading and trailing  " text, "''" text, "$$" text, "--" text, "/*" text, "*/" text, "." text
);
INSERT INTO "Strange Schema.with ""quotes""; -- and dots"."Table.with ""quotes""; DROP TABLE x; --"
SELECT i, 'row ' || i, E'\t', '%s', 'S', 'f', 's', 'u', 't', 'e', 'ü', ' ', '  ', '''', '$$', '--', '/*', '*/', '.'
FROM generate_series(1, 20) i;

-- A line break in a table's name cuts pg_restore's listing in two lines.
CREATE TABLE strange."two
lines" (i int);
INSERT INTO strange."two
lines" VALUES (1), (2);
CREATE TABLE strange."1; 2 3 TABLE DATA strange looks_like_a_listing strange_owner" (i int);
INSERT INTO strange."1; 2 3 TABLE DATA strange looks_like_a_listing strange_owner" VALUES (1);

-- Sixty-three bytes, in one-byte and in many-byte characters.
CREATE TABLE strange.a23456789b23456789c23456789d23456789e23456789f23456789g2345678 (
    a23456789b23456789c23456789d23456789e23456789f23456789g2345678 int UNIQUE
);
INSERT INTO strange.a23456789b23456789c23456789d23456789e23456789f23456789g2345678 VALUES (63);
CREATE TABLE strange."ёёёёёёёёёёёёёёёёёёёёёёёёёёёёёёё1" ("🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘abc" text);
INSERT INTO strange."ёёёёёёёёёёёёёёёёёёёёёёёёёёёёёёё1" VALUES ('sixty-three bytes');

CREATE TABLE strange."UPPER" (i int);
CREATE TABLE strange.upper (i int);
CREATE TABLE strange."Upper" (i int);
INSERT INTO strange."UPPER" VALUES (1);
INSERT INTO strange.upper VALUES (2), (2);
INSERT INTO strange."Upper" VALUES (3), (3), (3);

CREATE TABLE "select"."table" ("order" int, "group" int, "where" int, "limit" int, "null" int, "true" int);
INSERT INTO "select"."table" VALUES (1, 2, 3, 4, 5, 6), (NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE "схема"."таблица" ("столбец" text COLLATE "C");
INSERT INTO "схема"."таблица" VALUES ('значение');
CREATE TABLE "pg"."pg_toast" (i int);
INSERT INTO "pg"."pg_toast" VALUES (1);

-- A column with the name of a usual alias, of the table itself, of its row, and of aggregates.
CREATE TABLE strange.t (t text, x text, r text, "row" text, count int, sum int, oid int, digest text, hash text);
INSERT INTO strange.t VALUES ('a', 'b', 'c', 'd', 1, 2, 3, 'e', 'f'), ('t', NULL, '', NULL, NULL, 0, -1, '', NULL);
