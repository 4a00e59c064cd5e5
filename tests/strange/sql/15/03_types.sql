-- Types: composites, domains, ranges, multiranges, base types, shells.

CREATE TYPE strange.no_values AS ENUM ();

CREATE TYPE strange.pair AS (a int, "B b" text COLLATE "C", dropped int, c numeric(10, 2)[]);
ALTER TYPE strange.pair DROP ATTRIBUTE dropped;
COMMENT ON COLUMN strange.pair."B b" IS 'an attribute''s comment';
CREATE TYPE strange.nested AS (p strange.pair, ps strange.pair[], m strange.mood, "deeper ""still""" strange.mood[]);
CREATE TYPE strange.nothing AS ();

CREATE FUNCTION strange.is_even(i int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
CREATE DOMAIN strange.even AS int DEFAULT 2
    CONSTRAINT "even only" CHECK (strange.is_even(VALUE)) CONSTRAINT "not null" NOT NULL;
COMMENT ON DOMAIN strange.even IS 'even numbers';
COMMENT ON CONSTRAINT "even only" ON DOMAIN strange.even IS 'by a function';
CREATE DOMAIN strange.nonempty AS text COLLATE "C" CHECK (VALUE <> '');
CREATE DOMAIN strange.code AS strange.nonempty CHECK (length(VALUE) <= 10);
ALTER DOMAIN strange.code ADD CONSTRAINT late CHECK (VALUE !~ 'x') NOT VALID;
CREATE DOMAIN strange.matrix AS int[][] CHECK (array_ndims(VALUE) = 2);
CREATE DOMAIN strange.positive_pair AS strange.pair CHECK ((VALUE).a > 0);
CREATE DOMAIN strange."domain with ""quotes""" AS varchar(5) DEFAULT 'it''s';

CREATE FUNCTION strange.time_diff(a time, b time) RETURNS float8 LANGUAGE sql STRICT IMMUTABLE
    AS 'SELECT EXTRACT(EPOCH FROM (a - b))::float8';
CREATE TYPE strange.timerange AS RANGE (
    SUBTYPE = time, SUBTYPE_DIFF = strange.time_diff, MULTIRANGE_TYPE_NAME = strange."times of day"
);
CREATE TYPE strange.textrange AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE TYPE strange.dayrange;
CREATE FUNCTION strange.canonical(strange.dayrange) RETURNS strange.dayrange
    LANGUAGE internal IMMUTABLE STRICT AS 'daterange_canonical';
CREATE TYPE strange.dayrange AS RANGE (SUBTYPE = date, CANONICAL = strange.canonical);

-- A base type of our own, with text's functions; and one that never got further than its name.
CREATE TYPE strange.wide;
CREATE FUNCTION strange.wide_in(cstring) RETURNS strange.wide LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION strange.wide_out(strange.wide) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION strange.wide_recv(internal) RETURNS strange.wide LANGUAGE internal STABLE STRICT AS 'textrecv';
CREATE FUNCTION strange.wide_send(strange.wide) RETURNS bytea LANGUAGE internal STABLE STRICT AS 'textsend';
CREATE TYPE strange.wide (
    INPUT = strange.wide_in, OUTPUT = strange.wide_out, RECEIVE = strange.wide_recv, SEND = strange.wide_send,
    INTERNALLENGTH = VARIABLE, STORAGE = extended, CATEGORY = 'S', PREFERRED = false, DELIMITER = ';', COLLATABLE = true,
    DEFAULT = 'wide by default'
);
CREATE TYPE strange.tiny;
CREATE FUNCTION strange.tiny_in(cstring) RETURNS strange.tiny LANGUAGE internal IMMUTABLE STRICT AS 'int2in';
CREATE FUNCTION strange.tiny_out(strange.tiny) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int2out';
CREATE TYPE strange.tiny (INPUT = strange.tiny_in, OUTPUT = strange.tiny_out, LIKE = pg_catalog.int2);
CREATE TYPE strange.shell;
ALTER TYPE strange.shell OWNER TO strange_owner;

CREATE COLLATION strange."C again" FROM "C";
CREATE COLLATION strange.posix (PROVIDER = libc, LC_COLLATE = 'POSIX', LC_CTYPE = 'C.UTF-8');
COMMENT ON COLLATION strange.posix IS 'of two minds';
ALTER COLLATION strange.posix OWNER TO strange_owner;

CREATE TABLE strange.typed (
    id int PRIMARY KEY,
    mood strange.mood DEFAULT 'ok',
    moods strange.mood[],
    pair strange.pair,
    pairs strange.pair[],
    nested strange.nested,
    even strange.even,
    code strange.code,
    codes strange.code[],
    matrix strange.matrix,
    positive_pair strange.positive_pair,
    "domain" strange."domain with ""quotes""",
    times strange.timerange,
    "times of day" strange."times of day",
    texts strange.textrange,
    days strange.dayrange,
    wide strange.wide,
    wides strange.wide[],
    tiny strange.tiny,
    tinies strange.tiny[],
    nothing strange.nothing
);
INSERT INTO strange.typed (id) VALUES (1);
INSERT INTO strange.typed VALUES (
    2, E'line\nbreak', ARRAY['', 'NULL', NULL, '{}', 'a, b', 'with ''quote''', '象']::strange.mood[],
    ROW(1, E'quo"te, (paren) \\ back''slash\n', '{1.50,NULL,NaN}'),
    ARRAY[ROW(NULL, NULL, NULL), NULL, ROW(0, '', '{}'), ROW(-1, 'NULL', '[5:6]={1,2}')]::strange.pair[],
    ROW(ROW(1, 'x', NULL), ARRAY[ROW(2, '"', NULL)]::strange.pair[], 'between', '{NULL,"","before all"}'),
    4, 'code', '{a,NULL,"b c"}', '{{1,2},{3,4}}', ROW(1, NULL, NULL), 'it''s!', '[08:00,12:00)',
    '{[00:00,01:00),(02:00,24:00]}', '["a","ä""b")', '(2020-02-28,2020-03-01]', 'wi;de', '{a;"b;c";NULL}', '-32768',
    '{1,2,NULL}', ROW()
);
INSERT INTO strange.typed (id, even, pairs, matrix, times, "times of day", texts, days)
VALUES (3, -2, '{}', '[-1:0][5:6]={{1,2},{3,NULL}}', 'empty', '{}', '(,)', '(,infinity]'),
       (4, 0, '[0:1]={"(1,a,)","(2,,{})"}', '[1:1][1:1]={{7}}', '(,)', '{(,)}', '["",""]', '[-infinity,)');
CREATE TABLE strange.of_nested OF strange.nested (m WITH OPTIONS DEFAULT 'sad', CHECK (m <> 'ok'));
INSERT INTO strange.of_nested (ps) VALUES ('{}'), (NULL);
-- The row type of a table is a type too, and a table may hold rows of another.
CREATE TABLE strange.rows_of_another (id int, t strange.t, ts strange.t[]);
INSERT INTO strange.rows_of_another SELECT 1, (y.*)::strange.t, ARRAY[(y.*)::strange.t, NULL] FROM strange.t AS y LIMIT 1;
