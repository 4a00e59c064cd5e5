-- Functions, procedures, aggregates, operators and their classes, casts, conversions, languages, transforms.

CREATE FUNCTION strange."odd ""function""; --"(INOUT "a ""b""" int, OUT "out put" text, VARIADIC rest text[] DEFAULT '{"d e","f''g"}')
    LANGUAGE plpgsql STABLE LEAKPROOF PARALLEL RESTRICTED COST 7 AS $odd$
BEGIN
    -- $$ and $function$ and $_$ inside, 'quotes' and \ backslashes
    "out put" := $$it's$$ || E'\n' || array_to_string(rest, ',');
END
$odd$;
CREATE FUNCTION strange.overloaded(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'int'$$;
CREATE FUNCTION strange.overloaded(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'text'$$;
CREATE FUNCTION strange.overloaded(int, VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'many'$$;
COMMENT ON FUNCTION strange.overloaded(text) IS 'the one for text';
CREATE FUNCTION strange.rows_of(strange.mood) RETURNS TABLE ("i d" int, name text) LANGUAGE sql ROWS 12 SECURITY DEFINER
    SET search_path = strange, "Strange Schema.with ""quotes""; -- and dots", pg_temp SET work_mem = '7MB' SET "strange.custom" = 'a, b'
    AS $$SELECT id, mood::text FROM typed WHERE mood = $1$$;
CREATE FUNCTION strange.empty_path() RETURNS int LANGUAGE sql SET search_path = '' AS $$SELECT 1$$;
CREATE FUNCTION strange.poly(anyelement, anyarray DEFAULT NULL) RETURNS anyarray LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT AS $$SELECT $2 || $1$$;
CREATE FUNCTION strange.set_of() RETURNS SETOF strange.pair LANGUAGE sql AS $$SELECT (p).* FROM (SELECT unnest(pairs) FROM strange.typed) AS x(p)$$;
-- Standard bodies are parsed at once: they depend on what they name.
CREATE FUNCTION strange.standard_body(d int DEFAULT 3) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    SELECT count(*) + d FROM strange.texts;
END;
CREATE FUNCTION strange.standard_setof() RETURNS SETOF strange.parent RETURN NULL::strange.parent;
CREATE PROCEDURE strange.do_it(INOUT n int, OUT done boolean, note text DEFAULT 'none') LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO strange.same VALUES (n, note);
    COMMIT;
    n := n + 1;
    done := true;
END
$$;
CREATE PROCEDURE strange.standard_procedure(x int) LANGUAGE sql BEGIN ATOMIC INSERT INTO strange.same VALUES (x, 'x'); DELETE FROM strange.same WHERE i = x; END;
CREATE FUNCTION strange.windowed() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_row_number';
CREATE FUNCTION strange.needs_support(int, int) RETURNS SETOF int LANGUAGE internal IMMUTABLE STRICT SUPPORT pg_catalog.generate_series_int4_support AS 'generate_series_int4';
ALTER FUNCTION strange.overloaded(int) OWNER TO strange_owner;
ALTER PROCEDURE strange.standard_procedure(int) OWNER TO strange_owner;

CREATE TABLE strange.default_by_function (i int DEFAULT strange.standard_body(), t text DEFAULT strange.overloaded(1, 'x'));
INSERT INTO strange.default_by_function DEFAULT VALUES;

CREATE FUNCTION strange.add_up(numeric, int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + $2';
CREATE FUNCTION strange.take_off(numeric, int) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) - $2';
CREATE FUNCTION strange.finish(numeric) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE AGGREGATE strange.total(int) (
    SFUNC = strange.add_up, STYPE = numeric, FINALFUNC = strange.finish, FINALFUNC_EXTRA = false, INITCOND = '0',
    COMBINEFUNC = pg_catalog.numeric_add, MSFUNC = strange.add_up, MINVFUNC = strange.take_off, MSTYPE = numeric, MINITCOND = '0',
    MFINALFUNC = strange.finish, PARALLEL = SAFE
);
CREATE AGGREGATE strange."most ""of"""(VARIADIC "any" ORDER BY VARIADIC "any") (
    SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL
);
CREATE AGGREGATE strange.middle(float8 ORDER BY anyelement) (
    SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA = true, FINALFUNC_MODIFY = READ_WRITE
);
CREATE AGGREGATE strange.smallest(int) (SFUNC = int4smaller, STYPE = int4, SORTOP = <);
CREATE AGGREGATE strange.nothing(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
COMMENT ON AGGREGATE strange.total(int) IS 'adds up';
ALTER AGGREGATE strange.smallest(int) OWNER TO strange_owner;

CREATE FUNCTION strange.pair_eq(strange.pair, strange.pair) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1).a = ($2).a';
CREATE FUNCTION strange.pair_lt(strange.pair, strange.pair) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1).a < ($2).a';
CREATE FUNCTION strange.pair_gt(strange.pair, strange.pair) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1).a > ($2).a';
CREATE FUNCTION strange.pair_cmp(strange.pair, strange.pair) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT pg_catalog.btint4cmp(($1).a, ($2).a)';
CREATE FUNCTION strange.pair_int_lt(strange.pair, int) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ($1).a < $2';
CREATE FUNCTION strange.pair_neg(strange.pair) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT -($1).a';
CREATE OPERATOR strange.=== (LEFTARG = strange.pair, RIGHTARG = strange.pair, FUNCTION = strange.pair_eq, COMMUTATOR = OPERATOR(strange.===), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR strange.<<< (LEFTARG = strange.pair, RIGHTARG = strange.pair, FUNCTION = strange.pair_lt, COMMUTATOR = OPERATOR(strange.>>>), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR strange.>>> (LEFTARG = strange.pair, RIGHTARG = strange.pair, FUNCTION = strange.pair_gt, COMMUTATOR = OPERATOR(strange.<<<));
CREATE OPERATOR strange.<<< (LEFTARG = strange.pair, RIGHTARG = int, FUNCTION = strange.pair_int_lt);
CREATE OPERATOR strange.-~@ (RIGHTARG = strange.pair, FUNCTION = strange.pair_neg);
COMMENT ON OPERATOR strange.-~@ (NONE, strange.pair) IS 'a prefix';
ALTER OPERATOR strange.>>> (strange.pair, strange.pair) OWNER TO strange_owner;
CREATE OPERATOR FAMILY strange."pair ""family""" USING btree;
CREATE OPERATOR CLASS strange."pair ""class""" FOR TYPE strange.pair USING btree FAMILY strange."pair ""family""" AS
    OPERATOR 1 strange.<<<, OPERATOR 3 strange.===, OPERATOR 5 strange.>>>, FUNCTION 1 strange.pair_cmp(strange.pair, strange.pair);
ALTER OPERATOR FAMILY strange."pair ""family""" USING btree ADD OPERATOR 1 strange.<<< (strange.pair, int);
CREATE OPERATOR CLASS strange.int4_backwards FOR TYPE int4 USING btree AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 pg_catalog.btint4cmp(int4, int4);
CREATE OPERATOR FAMILY strange.empty_family USING gin;
COMMENT ON OPERATOR CLASS strange.int4_backwards USING btree IS 'sdrawkcab';
COMMENT ON OPERATOR FAMILY strange.empty_family USING gin IS 'nobody at home';
CREATE TABLE strange.by_class (p strange.pair, i int);
CREATE INDEX ON strange.by_class (p strange."pair ""class""");
INSERT INTO strange.by_class SELECT ROW(g, 'x', NULL)::strange.pair, g FROM generate_series(1, 30) g;

CREATE FUNCTION strange.mood_to_int(strange.mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT pg_catalog.length($1::text)$$;
CREATE CAST (strange.mood AS int) WITH FUNCTION strange.mood_to_int(strange.mood) AS ASSIGNMENT;
CREATE CAST (strange.pair AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (strange.wide AS text) WITHOUT FUNCTION;
CREATE FUNCTION strange.shouted(strange.wide) RETURNS varchar LANGUAGE sql IMMUTABLE AS $$SELECT 'not by this cast'::varchar$$;
CREATE CAST (strange.wide AS varchar) WITH FUNCTION strange.shouted(strange.wide);
COMMENT ON CAST (strange.mood AS int) IS 'length of the mood';

CREATE CONVERSION strange.latin_to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION strange."odd ""conversion""" FOR 'UTF8' TO 'LATIN2' FROM utf8_to_iso8859;
COMMENT ON CONVERSION strange.latin_to_utf8 IS 'one way';
ALTER CONVERSION strange.latin_to_utf8 OWNER TO strange_owner;

CREATE FUNCTION strange.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION strange.inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE TRUSTED LANGUAGE "strange language" HANDLER strange.handler INLINE strange.inline;
COMMENT ON LANGUAGE "strange language" IS 'plpgsql in disguise';
GRANT USAGE ON LANGUAGE "strange language" TO strange_reader;
REVOKE USAGE ON LANGUAGE "strange language" FROM PUBLIC;
CREATE FUNCTION strange.in_strange_language() RETURNS int LANGUAGE "strange language" AS 'BEGIN RETURN 1; END';
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE FUNCTION strange.transformed(int) RETURNS int TRANSFORM FOR TYPE int LANGUAGE sql AS 'SELECT $1';

CREATE TEXT SEARCH PARSER strange."odd parser" (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, HEADLINE = prsd_headline, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE strange.simple_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY strange.words (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY strange."odd ""dictionary""" (TEMPLATE = strange.simple_template);
CREATE TEXT SEARCH CONFIGURATION strange.search (PARSER = strange."odd parser");
ALTER TEXT SEARCH CONFIGURATION strange.search ADD MAPPING FOR asciiword, word WITH strange.words, english_stem;
ALTER TEXT SEARCH CONFIGURATION strange.search ADD MAPPING FOR email, url WITH strange."odd ""dictionary""";
CREATE TEXT SEARCH CONFIGURATION strange.copied (COPY = pg_catalog.german);
ALTER TEXT SEARCH CONFIGURATION strange.copied DROP MAPPING FOR hword, email;
COMMENT ON TEXT SEARCH CONFIGURATION strange.search IS 'finds';
COMMENT ON TEXT SEARCH DICTIONARY strange.words IS 'all of them';
COMMENT ON TEXT SEARCH PARSER strange."odd parser" IS 'parses';
COMMENT ON TEXT SEARCH TEMPLATE strange.simple_template IS 'simple';
ALTER TEXT SEARCH CONFIGURATION strange.search OWNER TO strange_owner;
ALTER TEXT SEARCH DICTIONARY strange.words OWNER TO strange_owner;
CREATE TABLE strange.searched (doc text, v tsvector GENERATED ALWAYS AS (to_tsvector('strange.search', doc)) STORED);
INSERT INTO strange.searched (doc) VALUES ('words about elephants'), (NULL), ('');
CREATE INDEX ON strange.searched USING gin (to_tsvector('strange.copied'::regconfig, doc));

CREATE STATISTICS strange.some (ndistinct, dependencies, mcv) ON i, t FROM strange.indexed;
CREATE STATISTICS strange."odd ""statistics""" ON (i % 7), (lower(t)), u FROM strange.indexed;
CREATE STATISTICS strange.of_one ON (i * 3) FROM strange.indexed;
ALTER STATISTICS strange.some SET STATISTICS 321;
ALTER STATISTICS strange.of_one OWNER TO strange_owner;
COMMENT ON STATISTICS strange.some IS 'three kinds';
