"""What every new database has, brought back before a restore in place: what an archive says is meant on top of it.

pg_dump writes the privileges of PostgreSQL's own objects as differences from those that initdb gave, and of the schema
`public` neither that it is there nor that it is not.
"""

# Privileges that initdb gave stand in pg_init_privs; an object that is not there has the built-in defaults.
# What our role may not change, it could not have changed either: then it is told, and stays.
RESET = """
DO $pgproof_first_state$
DECLARE
    changed record;
BEGIN
    FOR changed IN
        WITH objects AS (
            SELECT 'pg_catalog.pg_namespace'::regclass AS class, n.oid, 0 AS part, 'n' AS kind, n.nspowner AS owner,
                   n.nspacl AS acl, pg_catalog.format('SCHEMA %I', n.nspname) AS name, '' AS columns
            FROM pg_catalog.pg_namespace n
            UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid, 0, 'r', c.relowner, c.relacl,
                   pg_catalog.format('TABLE %s', c.oid::regclass), ''
            FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'v')
            UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid, a.attnum, 'c', c.relowner, a.attacl,
                   pg_catalog.format('TABLE %s', c.oid::regclass), pg_catalog.format(' (%I)', a.attname)
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            WHERE c.relkind IN ('r', 'v') AND NOT a.attisdropped
            UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, 'f', p.proowner, p.proacl,
                   pg_catalog.format('ROUTINE %s', p.oid::regprocedure), ''
            FROM pg_catalog.pg_proc p
            UNION ALL SELECT 'pg_catalog.pg_language'::regclass, l.oid, 0, 'l', l.lanowner, l.lanacl,
                   pg_catalog.format('LANGUAGE %I', l.lanname), ''
            FROM pg_catalog.pg_language l WHERE l.lanpltrusted
            UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, 'T', t.typowner, t.typacl,
                   pg_catalog.format('TYPE %I.%I', n.nspname, t.typname), ''
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE t.typelem = 0 AND t.typrelid = 0
        ), differing AS (
            SELECT o.name, o.columns, o.acl, o.kind, o.owner, i.initprivs
            FROM objects o LEFT JOIN pg_catalog.pg_init_privs i
                ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = o.part
            WHERE o.oid < 16384 AND o.acl IS DISTINCT FROM i.initprivs
        ), states AS (
            SELECT name, columns,
                   COALESCE(acl, pg_catalog.acldefault(kind::"char", owner)) AS now,
                   COALESCE(initprivs, pg_catalog.acldefault(kind::"char", owner)) AS first
            FROM differing
        ), privileges AS (
            SELECT name, columns, false AS first, x.grantee, x.privilege_type AS privilege, x.is_grantable AS grantable
            FROM states CROSS JOIN LATERAL pg_catalog.aclexplode(now) x
            UNION ALL SELECT name, columns, true, x.grantee, x.privilege_type, x.is_grantable
            FROM states CROSS JOIN LATERAL pg_catalog.aclexplode(first) x
        )
        SELECT pg_catalog.format(
            CASE WHEN pg_catalog.bool_and(first) THEN 'GRANT %s%s ON %s TO %s%s'
                 ELSE 'REVOKE %s%s ON %s FROM %s CASCADE' END,
            privilege, columns, name,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END,
            CASE WHEN grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
        FROM privileges GROUP BY name, columns, grantee, privilege, grantable HAVING pg_catalog.count(*) = 1
        ORDER BY pg_catalog.bool_and(first), 1
    LOOP
        BEGIN
            EXECUTE changed.statement;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'pgproof: left as it was, because of "%": %', SQLERRM, changed.statement;
        END;
    END LOOP;
END
$pgproof_first_state$;
"""

# The owner of `public` is a role of its own from 14 on; before, it is the server's first superuser.
PUBLIC_SCHEMA = """
DO $pgproof_public$
BEGIN
    IF pg_catalog.to_regnamespace('public') IS NULL THEN
        CREATE SCHEMA public;
        GRANT USAGE ON SCHEMA public TO PUBLIC;
    END IF;
    IF pg_catalog.obj_description('public'::regnamespace) IS DISTINCT FROM 'standard public schema' THEN
        COMMENT ON SCHEMA public IS 'standard public schema';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.rolname = 'pg_database_owner'
               WHERE n.nspname = 'public' AND n.nspowner <> r.oid) THEN
        ALTER SCHEMA public OWNER TO pg_database_owner;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'pgproof: the schema public was left as it was: %', SQLERRM;
END
$pgproof_public$;
"""

NO_PUBLIC_SCHEMA = "DROP SCHEMA IF EXISTS public CASCADE;"
