-- Values compressed by lz4.
CREATE TABLE strange.lz4 (id int PRIMARY KEY, t text COMPRESSION lz4, p text COMPRESSION pglz, d text);
INSERT INTO strange.lz4 SELECT i, repeat(md5(i::text), 500), repeat(md5(i::text), 500), repeat('d', 5000) FROM generate_series(1, 5) i;
