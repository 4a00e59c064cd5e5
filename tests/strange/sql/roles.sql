-- Roles of the strange database. They belong to the server, so this may run again.
-- Fixed names: pg_dump writes them out, and what was dumped on one server is restored on another.

DO $do$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'strange_owner', 'strange_reader', 'strange_chain_a', 'strange_chain_b', 'strange_chain_c',
        'strange_group', 'Strange "quoted" röle; --', 'strange role with spaces'
    ]
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I', wanted);
        END IF;
    END LOOP;
END
$do$;

GRANT strange_group TO strange_chain_a;
GRANT strange_reader TO strange_owner WITH ADMIN OPTION;
