-- Foreign data without a wrapper that works: the definitions are what a database holds.

CREATE FOREIGN DATA WRAPPER strange_wrapper VALIDATOR postgresql_fdw_validator;
CREATE FOREIGN DATA WRAPPER strange_empty NO HANDLER NO VALIDATOR OPTIONS (host 'nowhere', "odd option" 'it''s "odd"');
CREATE SERVER "strange ""server""" TYPE 'odd type' VERSION '1.0 "beta"' FOREIGN DATA WRAPPER strange_wrapper OPTIONS (host 'h', port '1', dbname 'd''b');
CREATE SERVER strange_bare FOREIGN DATA WRAPPER strange_empty;
CREATE USER MAPPING FOR strange_owner SERVER "strange ""server""" OPTIONS ("user" 'me', password 'secret ''of'' mine');
CREATE USER MAPPING FOR PUBLIC SERVER "strange ""server""";
CREATE USER MAPPING FOR "Strange ""quoted"" röle; --" SERVER strange_bare OPTIONS (anything 'goes');
CREATE FOREIGN TABLE strange.abroad (
    id int OPTIONS (column_name 'the "id"') NOT NULL, t text COLLATE "C" DEFAULT 'far', g int GENERATED ALWAYS AS (id * 2) STORED, CHECK (id > 0)
) SERVER strange_bare OPTIONS (schema_name 'odd''s', table_name '"x"');
CREATE FOREIGN TABLE strange.events_abroad PARTITION OF strange.list_null FOR VALUES IN ('between') SERVER strange_bare;
CREATE FOREIGN TABLE strange.child_abroad (more text) INHERITS (strange.parent_2) SERVER strange_bare OPTIONS (a 'b');
COMMENT ON FOREIGN DATA WRAPPER strange_wrapper IS 'wraps nothing';
COMMENT ON SERVER strange_bare IS 'serves nothing';
COMMENT ON FOREIGN TABLE strange.abroad IS 'elsewhere';
COMMENT ON COLUMN strange.abroad.t IS 'a column elsewhere';
ALTER SERVER strange_bare OWNER TO strange_owner;
ALTER FOREIGN TABLE strange.abroad OWNER TO strange_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER strange_wrapper TO strange_reader WITH GRANT OPTION;
GRANT USAGE ON FOREIGN SERVER "strange ""server""" TO strange_reader, "Strange ""quoted"" röle; --";
GRANT SELECT ON strange.abroad TO strange_reader;
