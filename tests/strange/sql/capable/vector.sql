-- An extension from outside PostgreSQL: a type with a modifier, and an index method of its own.
CREATE EXTENSION vector;
CREATE TABLE strange.embedded (id int PRIMARY KEY, v public.vector(3), s public.sparsevec(5), h public.halfvec, b bit(8));
INSERT INTO strange.embedded SELECT i, format('[%s,0.1,-0]', i)::public.vector, '{1:1.5,3:-2}/5', '[1,2]', i::bit(8) FROM generate_series(1, 20) i;
INSERT INTO strange.embedded VALUES (21, NULL, NULL, NULL, NULL);
CREATE INDEX ON strange.embedded USING hnsw (v public.vector_cosine_ops) WITH (m = 4, ef_construction = 10);
