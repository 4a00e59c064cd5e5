-- Values at and beyond the edge of every built-in type.

CREATE TABLE strange.numbers (
    n numeric, fixed numeric(1000, 500), rounded numeric(5, -3), fraction numeric(3, 5),
    f8 float8, f4 float4, i8 int8, i4 int4, i2 int2, o oid, m money, b boolean
);
INSERT INTO strange.numbers VALUES
    ('NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 9223372036854775807, 2147483647, 32767, 4294967295, '92233720368547758.07', true),
    ('Infinity', NULL, NULL, NULL, 'Infinity', 'Infinity', -9223372036854775808, -2147483648, -32768, 0, '-92233720368547758.08', false),
    ('-Infinity', NULL, NULL, NULL, '-Infinity', '-Infinity', 0, 0, 0, 1, 0, NULL),
    ('-0', '-0.0', -0, -0.0, '-0', '-0', -0, -0, -0, 2147483648, '-0.01', NULL),
    (1, 1.10, 99999000, 0.00999, 5e-324, 1e-45, 1, 1, 1, 1, 1, true),
    (1.0, 1.1000, -99999499, -0.00999, 1.7976931348623157e308, 3.4028235e38, 2, 2, 2, 2, 2, false),
    (1.00, 1e-500, 500, 0.000005, -1.7976931348623157e308, -3.4028235e38, NULL, NULL, NULL, NULL, NULL, NULL),
    (1e131071, 1e499, NULL, NULL, 0.1, 0.1, NULL, NULL, NULL, NULL, NULL, NULL),
    (1e-16383, -1e-500, NULL, NULL, 0.30000000000000004, 16777217, NULL, NULL, NULL, NULL, NULL, NULL),
    (repeat('9', 131072)::numeric, NULL, NULL, NULL, 2.2250738585072014e-308, 1.17549435e-38, NULL, NULL, NULL, NULL, NULL, NULL),
    (-0.00000000000000000000000000000000000000000001, NULL, NULL, NULL, 9007199254740993, 1e10, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE strange.times (
    d date, ts timestamp, tz timestamptz, t time, tt timetz, i interval, short timestamp(0), ym interval YEAR TO MONTH
);
INSERT INTO strange.times VALUES
    ('infinity', 'infinity', 'infinity', '00:00', '00:00:00+15:59:59', '0', 'infinity', '1 year'),
    ('-infinity', '-infinity', '-infinity', '24:00', '24:00:00-15:59:59', '-1 second', '-infinity', '-11 months'),
    ('4714-11-24 BC', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '23:59:59.999999', '23:59:59.999999+00',
     '178000000 years', '0001-01-01 BC', '178000000 years'),
    ('5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '12:34:56.7', '12:34:56.7-03:30',
     '-178000000 years', '1999-12-31 23:59:59.5', NULL),
    ('0001-12-31 BC', '0001-12-31 23:59:59.999999 BC', '0001-12-31 23:59:59.999999-15:59 BC', NULL, NULL,
     '1 year -2 mons 3 days -04:05:06.000007', NULL, NULL),
    ('2016-12-31', '2016-12-31 23:59:60', '2021-03-28 02:30:00+01', NULL, NULL, '-1 days +02:03:04', NULL, NULL),
    ('1582-10-10', '1900-01-01 00:00:00', '1879-12-31 23:59:59.123456+00:19:32', NULL, NULL, '2147483647 days 23:59:59.999999', NULL, NULL),
    (NULL, NULL, NULL, NULL, NULL, '9223372036854775807 microseconds', NULL, NULL);

CREATE TABLE strange.texts (id serial PRIMARY KEY, t text, v varchar(3), c char(5), one "char", n name, b bpchar);
-- Every character from 1 to 255 alone, and some that break readers. 0 is the one that no text holds.
INSERT INTO strange.texts (t) SELECT chr(i) FROM generate_series(1, 255) i;
INSERT INTO strange.texts (t) SELECT 'a' || chr(i) || 'b' FROM unnest(ARRAY[
    1, 8, 9, 10, 11, 12, 13, 26, 27, 28, 31, 34, 36, 39, 44, 92, 127, 128, 133, 160, 173, 8203, 8232, 8233, 8238, 65279,
    65533, 65534, 65535, 65536, 128024, 1114111, 55295, 57344, 769
]) i;
INSERT INTO strange.texts (t, v, c, one, n, b) VALUES
    (NULL, NULL, NULL, NULL, NULL, NULL), ('', '', '', '', '', ''), (' ', '   ', '     ', ' ', ' ', ' '),
    ('\N', '\N', '\N', '\', '\N', '\N'), ('\.', '\.', '\.', '.', '\.', '\.'), (E'\\.\n\\.', E'\n', E'\r\n', E'\n', E'\n', E'\t  '),
    ('NULL', 'nul', 'null', 'N', 'NULL', 'NULL'), ('{}', '{}', '()', '{', '{}', ','), ('"', '"""', '""', '"', '"', '""'),
    (E'\r', E'\r', E'a\r', E'\r', E'\r', E'\r  '), ('''', '''''', '''', '''', '''', ''''), ('日本語', '日本語', '日本', 'x', '日本語', 'é '),
    (E'e\u0301', 'é', 'é', 'e', E'e\u0301', E'e\u0301  '), ('é', 'é', 'é ', 'e', 'é', 'é  '), ('--', '/*', '*/', ';', '$$', '$1');
INSERT INTO strange.texts (one) SELECT i::"char" FROM generate_series(-128, 127) i;

CREATE TABLE strange.bytes (id int PRIMARY KEY, b bytea, bits bit(9), bitvar bit varying, uncompressed bytea);
ALTER TABLE strange.bytes ALTER uncompressed SET STORAGE EXTERNAL;
INSERT INTO strange.bytes
SELECT i, decode(lpad(to_hex(i), 2, '0'), 'hex'), i::bit(9), i::bit(9)::bit varying, NULL FROM generate_series(0, 255) i;
INSERT INTO strange.bytes VALUES
    (256, (SELECT string_agg(b, '' ORDER BY id) FROM strange.bytes), NULL, '', ''),
    (257, '', B'000000000', B'1', NULL), (258, NULL, NULL, NULL, '\x00'), (259, '\x5c78', NULL, repeat('10', 5000)::varbit, '\x0000'),
    (260, (SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, 20000) i), NULL, NULL,
     (SELECT string_agg(sha512(i::text::bytea), '') FROM generate_series(1, 10000) i)),
    (261, decode(repeat('00', 1000000), 'hex'), NULL, NULL, decode(repeat('ff', 100000), 'hex'));

-- Values that TOAST compresses, moves out, or leaves in line.
CREATE TABLE strange.wide_values (
    id int PRIMARY KEY,
    plain text, external text, extended text, main text, pglz text COMPRESSION pglz, doc jsonb, numbers int[]
) WITH (toast_tuple_target = 1024, toast.autovacuum_enabled = false);
ALTER TABLE strange.wide_values
    ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL, ALTER main SET STORAGE MAIN;
INSERT INTO strange.wide_values
SELECT i, repeat('p', 1000 * i), repeat(md5(i::text), 1000 * i), repeat('e', 3000000), repeat(md5(i::text), 90), repeat('z', 100000),
       jsonb_build_object('k', repeat(md5(i::text), 5000), 'n', i), ARRAY(SELECT g FROM generate_series(1, 20000) g)
FROM generate_series(1, 5) i;

CREATE TABLE strange.documents (id int PRIMARY KEY, j json, b jsonb, p jsonpath, v tsvector, q tsquery);
INSERT INTO strange.documents VALUES
    (1, '{"a" : 1,  "a":2 , "b": [ ] }', '{"a" : 1,  "a":2 , "b": [ ] }', 'strict $.a[*] ? (@ > 1).b', '''a'':1A,2B ''b c'':3', '''a'' & !''b'':*AB | (c <-> d)'),
    (2, 'null', 'null', '$', '', ''), (3, NULL, NULL, NULL, NULL, NULL),
    (4, ' 1e2 ', '1e2', '$."with \"quotes\""', '''it''''s'':16383', '''it''''s'' <5> ''\\'''),
    (5, '"\u00e9\t\ud83d\udc18"', '"\u00e9\t\ud83d\udc18"', '$[0 to last]', '''日本'':1', '''日本'''),
    (6, '"\u0000"', '{"": {"": [[], {}, null, true, -0, 1.10, 1e-5]}}', 'lax $.*', '', NULL),
    (7, '[1,
  2]', ('[' || repeat('[', 500) || repeat(']', 500) || ']')::jsonb, NULL, NULL, NULL),
    (8, NULL, to_jsonb(repeat('x', 100000)), NULL, to_tsvector('simple', repeat('word other ', 1000)), NULL);

CREATE TABLE strange.shapes (
    p point, l line, s lseg, bx box, closed path, open path, pg polygon, c circle,
    i inet, net cidr, mac macaddr, mac8 macaddr8, u uuid
);
INSERT INTO strange.shapes VALUES
    ('(0,0)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '[(0,0),(1,1)]', '((0,0),(1,0),(0,1))', '<(0,0),1>',
     '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '00000000-0000-0000-0000-000000000000'),
    ('(NaN,Infinity)', '{0,-1,0.1}', '[(NaN,-0),(1e308,-1e308)]', '(Infinity,0.1),(-Infinity,-0)', '((-0,0.1))', '[(5e-324,0)]',
     '((1e-300,1e300))', '<(0.1,-0),0>', '255.255.255.255', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
     'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, '<(NaN,0),Infinity>', '::ffff:1.2.3.4/128', '::/0', NULL, NULL, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'fe80::1/64', '10.0.0.0/8', NULL, NULL, NULL);

CREATE TABLE strange.arrays (
    id int PRIMARY KEY, i int[], t text[], b bytea[], tz timestamptz[], n numeric[], ts point[], j jsonb[], bounded int[3][3], nul boolean[]
);
INSERT INTO strange.arrays VALUES
    (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, '{NULL}', '{NULL,"NULL","",null," ","{}","\"","\\",","}', '{"\\x00",NULL,"\\x"}', '{infinity,"0044-03-15 12:00+00 BC"}',
     '{NaN,Infinity,1.0,1.00}', '{"(1,2)","(-0,NaN)"}', '{"null",NULL,"{\"a\": [1]}"}', '{{1,2},{3,4}}', '{t,f,NULL}'),
    (4, '[-5:-4]={1,2}', '[0:0][7:8]={{a,NULL}}', NULL, NULL, '[2:2]={5}', NULL, NULL, '{{{{{{1}}}}}}', '[2147483646:2147483646]={t}'),
    (5, (SELECT array_agg(g) FROM generate_series(1, 50000) g), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE strange.ranges (
    i int4range, b int8range, n numrange, ts tsrange, tz tstzrange, d daterange,
    mi int4multirange, mn nummultirange, mtz tstzmultirange, many numrange[]
);
INSERT INTO strange.ranges VALUES
    ('empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', '{}', '{}', '{}'),
    ('(,)', '(,)', '(,)', '(,)', '(,)', '(,)', '{(,)}', '{(,)}', '{(,)}', '{"(,)",NULL,empty}'),
    ('[1,2]', '[-9223372036854775808,9223372036854775807)', '[1.10,1.100]', '[-infinity,infinity]', '(2000-01-01 00:00+00,2000-01-02 00:00+00]',
     '[2000-01-01,infinity]', '{[1,2),(5,9]}', '{[NaN,NaN]}', '{[2000-01-01 00:00+00,),(,1999-01-01 00:00+00)}', '{"[1,2)"}');

-- Types of the system whose values are names or numbers of other objects.
CREATE TABLE strange.system (
    rc regclass, rt regtype, rp regprocedure, rf regproc, ro regoperator, rr regrole, rn regnamespace, rcf regconfig, rd regdictionary, rco regcollation,
    ac aclitem[], x xid, x8 xid8, c cid, tid tid, lsn pg_lsn, snap pg_snapshot, i2 int2vector, ov oidvector
);
INSERT INTO strange.system VALUES
    ('strange."UPPER"', 'strange.mood[]', 'strange.is_even(int)', 'strange.is_even', '+(int,int)', 'strange_owner', '"схема"', 'english', 'simple', '"C"',
     ARRAY['"Strange ""quoted"" röle; --"=r*w/strange_owner'::aclitem, '=r/strange_owner'], '4294967295', '18446744073709551615', '1', '(4294967295,65535)',
     'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '1 -2 3', '4294967295 0'),
    ('pg_class', 'timestamp with time zone', 'now()', 'now', '-(NONE,int)', '-', '-', '-', '-', '-', '{}', '0', '0', '0', '(0,0)', '0/0', NULL, '', '');

CREATE TABLE strange.null_or_empty (a text, b bytea, c int[], d strange.pair, e jsonb);
INSERT INTO strange.null_or_empty VALUES
    (NULL, NULL, NULL, NULL, NULL), ('', '', '{}', ROW(NULL, NULL, NULL), 'null'), ('', NULL, NULL, NULL, NULL), (NULL, '', NULL, NULL, NULL),
    (NULL, NULL, '{}', NULL, NULL), (NULL, NULL, NULL, ROW(NULL, '', NULL), NULL), (NULL, NULL, NULL, NULL, 'null'), (NULL, NULL, NULL, NULL, '""');
-- Equal rows are rows too: a set would lose them.
CREATE TABLE strange.same (i int, t text);
INSERT INTO strange.same SELECT 1, 'same' FROM generate_series(1, 1000);
