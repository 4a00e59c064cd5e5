"""What belongs to a database itself, changed where it lives: for a restore in place.

Each change stands alone. What PostgreSQL does not let our role do, or does not know, is told and left as it is: a role
that may restore in place often may not do all that whoever made the database could.
"""

from collections.abc import Iterator, Sequence

from psycopg import sql

from pgproof.adapters.postgres import grants
from pgproof.adapters.postgres.alter import set_setting
from pgproof.domain.properties import DatabaseProperties, Setting

_GUARDED = """DO $pgproof_property$
BEGIN
    EXECUTE {statement};
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgproof: left as it was, because of "%": %', SQLERRM, {shown};
END
$pgproof_property$;"""


def script(
    name: str,
    now: DatabaseProperties,
    wanted: DatabaseProperties,
    may_become: frozenset[str],
    *,
    keep_owner: bool,
    keep_roles: bool,
) -> Sequence[str]:
    """Statements that change only what is different. With `keep_roles` grants and roles' settings stay."""
    database = sql.Identifier(name)
    found = [
        *_plain(database, now, wanted, keep_owner=keep_owner),
        *_settings(database, now, wanted, keep_roles=keep_roles),
    ]
    if not keep_roles and not _same_grants(now, wanted):
        owner = now.owner if keep_owner else wanted.owner
        found.append(sql.SQL("; ").join(_grants(database, now, wanted, owner, may_become)))
    return [_guarded(statement) for statement in found]


def _plain(
    database: sql.Identifier, now: DatabaseProperties, wanted: DatabaseProperties, *, keep_owner: bool
) -> Iterator[sql.Composed]:
    if now.owner != wanted.owner and not keep_owner:
        yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(wanted.owner))
    if now.connection_limit != wanted.connection_limit:
        limit = sql.Literal(wanted.connection_limit)
        yield sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, limit)
    if now.is_template != wanted.is_template:
        yield sql.SQL("ALTER DATABASE {} IS_TEMPLATE {}").format(database, sql.Literal(wanted.is_template))
    if now.comment != wanted.comment:
        yield sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(wanted.comment))


def _settings(
    database: sql.Identifier, now: DatabaseProperties, wanted: DatabaseProperties, *, keep_roles: bool
) -> Iterator[sql.Composed]:
    before, after = ({(one.role, one.name): one for one in each.settings} for each in (now, wanted))
    for key, setting in before.items():
        if key not in after and not (keep_roles and setting.role):
            yield _reset(database, setting)
    for key, setting in after.items():
        if before.get(key) != setting and not (keep_roles and setting.role):
            yield set_setting(database, setting)


def _reset(database: sql.Identifier, setting: Setting) -> sql.Composed:
    name = sql.SQL(".").join(sql.Identifier(part) for part in setting.name.split("."))
    if setting.role is None:
        return sql.SQL("ALTER DATABASE {} RESET {}").format(database, name)
    return sql.SQL("ALTER ROLE {} IN DATABASE {} RESET {}").format(sql.Identifier(setting.role), database, name)


def _same_grants(now: DatabaseProperties, wanted: DatabaseProperties) -> bool:
    if now.grants is None or wanted.grants is None:
        return now.grants is wanted.grants
    return set(now.grants) == set(wanted.grants)


def _grants(
    database: sql.Identifier,
    now: DatabaseProperties,
    wanted: DatabaseProperties,
    owner: str,
    may_become: frozenset[str],
) -> Iterator[sql.Composed]:
    roles = {grant.grantee for grant in now.grants or ()} | {None, owner}
    for role in sorted(roles, key=str):
        whom = sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(database, whom)
    if wanted.grants is None:
        yield sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(database)
        yield sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(database, sql.Identifier(owner))
    else:
        yield from grants.statements(database, wanted.grants, owner, may_become)


def _guarded(statement: sql.Composed) -> str:
    text = sql.Literal(statement.as_string()).as_string()
    return _GUARDED.format(statement=text, shown=text)
