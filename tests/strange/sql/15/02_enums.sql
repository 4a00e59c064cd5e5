-- Enums: a value that was added cannot be used before the transaction that added it ends.

CREATE TYPE strange.mood AS ENUM ('sad', 'ok', 'happy', '', 'with ''quote''', E'line\nbreak', '象', 'a, b', '{}', 'NULL');
ALTER TYPE strange.mood ADD VALUE 'before all' BEFORE 'sad';
ALTER TYPE strange.mood ADD VALUE 'between' AFTER 'ok';
ALTER TYPE strange.mood RENAME VALUE 'happy' TO 'Happy!';
COMMENT ON TYPE strange.mood IS 'how it feels';
ALTER TYPE strange.mood OWNER TO strange_owner;
