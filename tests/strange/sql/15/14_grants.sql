-- Grants: chains, options, columns, everything revoked, default privileges, changed privileges of the system.

GRANT USAGE ON SCHEMA strange TO strange_reader, strange_chain_a, strange_chain_b, strange_chain_c;
GRANT CREATE ON SCHEMA strange TO strange_chain_a WITH GRANT OPTION;
GRANT USAGE ON SCHEMA "схема" TO PUBLIC;

GRANT SELECT, INSERT ON strange.typed TO strange_chain_a WITH GRANT OPTION;
SET SESSION AUTHORIZATION strange_chain_a;
GRANT SELECT ON strange.typed TO strange_chain_b WITH GRANT OPTION;
GRANT CREATE ON SCHEMA strange TO strange_chain_b;
GRANT SELECT ON LARGE OBJECT 4005 TO strange_chain_b;
SET SESSION AUTHORIZATION strange_chain_b;
GRANT SELECT ON strange.typed TO strange_chain_c, "Strange ""quoted"" röle; --", PUBLIC;
RESET SESSION AUTHORIZATION;
GRANT ALL ON strange.texts TO strange_group WITH GRANT OPTION;
REVOKE GRANT OPTION FOR DELETE, TRUNCATE ON strange.texts FROM strange_group;
GRANT SELECT (id, mood), UPDATE (mood), REFERENCES (id) ON strange.typed TO strange_reader;
GRANT INSERT ("Column.with ""quotes"", comma, (parens)", "%s %I {} $1 \ \\") ON "Strange Schema.with ""quotes""; -- and dots"."Table.with ""quotes""; DROP TABLE x; --"
    TO "Strange ""quoted"" röle; --" WITH GRANT OPTION;
GRANT SELECT (kind) ON strange.events TO strange_reader;
GRANT SELECT ON strange."events 2020", strange.material, strange.simple_view TO strange_reader;
REVOKE ALL ON strange.numbers FROM postgres;
REVOKE ALL ON strange.owned FROM "Strange ""quoted"" röle; --";
GRANT USAGE ON SEQUENCE strange.small TO strange_reader WITH GRANT OPTION;
GRANT SELECT, UPDATE ON SEQUENCE strange.texts_id_seq TO strange_group;
REVOKE EXECUTE ON FUNCTION strange.rows_of(strange.mood) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION strange.rows_of(strange.mood), strange."odd ""function""; --"(int, text[]) TO strange_reader;
REVOKE ALL ON PROCEDURE strange.do_it(int, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION strange.total(int) TO strange_owner;
REVOKE USAGE ON TYPE strange.mood FROM PUBLIC;
GRANT USAGE ON TYPE strange.mood, strange.timerange TO strange_reader;
GRANT USAGE ON DOMAIN strange.even TO strange_chain_a WITH GRANT OPTION;

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE strange_owner IN SCHEMA strange GRANT SELECT, INSERT ON TABLES TO strange_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE strange_owner IN SCHEMA strange GRANT USAGE ON SEQUENCES TO "Strange ""quoted"" röle; --";
ALTER DEFAULT PRIVILEGES FOR ROLE "Strange ""quoted"" röle; --" REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE strange_owner GRANT USAGE, CREATE ON SCHEMAS TO strange_reader;

-- The system's own objects, changed in this database only.
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO strange_reader;
GRANT SELECT ON pg_catalog.pg_authid TO strange_owner;
GRANT SELECT (rolname) ON pg_catalog.pg_authid TO strange_reader;
REVOKE SELECT ON pg_catalog.pg_user FROM PUBLIC;

REVOKE CREATE, USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO strange_reader;
COMMENT ON SCHEMA public IS 'not so public';
CREATE TABLE public.in_public (i int);
INSERT INTO public.in_public VALUES (1);
