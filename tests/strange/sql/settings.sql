-- What depends on the settings of the database: they must be there before this is loaded.

CREATE MATERIALIZED VIEW strange.by_settings AS
    SELECT current_setting('strange.custom') AS custom, current_setting('TimeZone') AS zone,
           to_tsvector('words about elephants') AS words, '2020-02-29 12:00+00'::timestamptz::text AS at, 0.1::float8 + 0.2 AS sum;
CREATE TABLE strange.checked_by_setting (t text DEFAULT current_setting('strange.custom'), CHECK (t = current_setting('strange.custom')));
INSERT INTO strange.checked_by_setting DEFAULT VALUES;
