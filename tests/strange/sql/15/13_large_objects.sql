-- Large objects: empty, small, longer than a page, with a hole; with comments, owners and grants.

SELECT lo_create(4001), lo_from_bytea(4002, 'small'), lo_from_bytea(4003, ''), lo_from_bytea(4004, '\x00'),
       lo_from_bytea(4005, (SELECT string_agg(b, '' ORDER BY id) FROM strange.bytes)),
       lo_from_bytea(4006, decode(repeat('00', 10000), 'hex')), lo_from_bytea(4007, convert_to(repeat('x', 2048), 'UTF8')),
       lo_from_bytea(4294967295, 'the last number');
-- A hole of a hundred thousand bytes that were never written.
SELECT lo_put(4003, 100000, 'far out');
COMMENT ON LARGE OBJECT 4002 IS 'it''s "small"';
ALTER LARGE OBJECT 4002 OWNER TO strange_owner;
ALTER LARGE OBJECT 4004 OWNER TO "Strange ""quoted"" röle; --";
GRANT SELECT, UPDATE ON LARGE OBJECT 4002 TO strange_reader;
GRANT SELECT ON LARGE OBJECT 4005 TO strange_chain_a WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 4006 TO PUBLIC;
CREATE TABLE strange.holds_large_objects (name text, lo oid);
INSERT INTO strange.holds_large_objects VALUES ('small', 4002), ('dangling', 123456789);
