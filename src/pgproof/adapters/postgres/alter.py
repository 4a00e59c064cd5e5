"""Statements that make a database and give it what belongs to it; every identifier quoted by psycopg."""

import re
from collections.abc import Iterator

from psycopg import sql

from pgproof.adapters.postgres import grants
from pgproof.domain.database import ServerVersion
from pgproof.domain.properties import DatabaseProperties, Setting

# Settings whose stored value is a list of quoted identifiers (GUC_LIST_QUOTE in guc_parameters): quoted as
# one string they would come back as one element. pg_dump knows the same list, variable_is_guc_list_quote().
_LISTS = frozenset(
    {
        "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
        "temp_tablespaces", "unix_socket_directories", "oauth_validator_libraries",
    }
)  # fmt: skip
_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*))\s*(?:,|$)')


def create_database(name: str, properties: DatabaseProperties, version: ServerVersion) -> sql.Composed:
    """CREATE DATABASE from template0, empty and like the original."""
    options = [
        sql.SQL("TEMPLATE template0"),
        sql.SQL("OWNER {}").format(sql.Identifier(properties.owner)),
        sql.SQL("ENCODING {}").format(sql.Literal(properties.encoding)),
        sql.SQL("LC_COLLATE {}").format(sql.Literal(properties.collate)),
        sql.SQL("LC_CTYPE {}").format(sql.Literal(properties.ctype)),
        *_locale(properties, version),
        *_tablespace(properties),
    ]
    return sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), sql.SQL(" ").join(options))


def _tablespace(properties: DatabaseProperties) -> Iterator[sql.Composable]:
    # Naming a tablespace needs a right to it, even where it would be the one anyway.
    if properties.tablespace != "pg_default":
        yield sql.SQL("TABLESPACE {}").format(sql.Identifier(properties.tablespace))


def close_to_others(name: str) -> sql.Composed:
    """Keep everybody out but the owner and superusers; `apply_properties` opens the database again."""
    return sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))


def _locale(properties: DatabaseProperties, version: ServerVersion) -> Iterator[sql.Composable]:
    if version.major < 15:
        return
    yield sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(properties.locale_provider))
    if properties.locale is not None and properties.locale_provider == "icu":
        yield sql.SQL("ICU_LOCALE {}").format(sql.Literal(properties.locale))
    if properties.locale is not None and properties.locale_provider == "builtin":
        yield sql.SQL("BUILTIN_LOCALE {}").format(sql.Literal(properties.locale))
    if properties.icu_rules is not None and version.major >= 16:
        yield sql.SQL("ICU_RULES {}").format(sql.Literal(properties.icu_rules))


def apply_properties(
    name: str, properties: DatabaseProperties, may_become: frozenset[str] = frozenset()
) -> Iterator[sql.Composed]:
    """Everything that CREATE DATABASE does not set, for one transaction by a role that `may_become` others."""
    database = sql.Identifier(name)
    yield sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, sql.Literal(properties.connection_limit))
    if properties.comment is not None:
        yield sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(properties.comment))
    yield from apply_settings(name, properties)
    if properties.is_template:
        yield sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(database)
    if properties.grants is None:
        yield sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(database)
    else:
        for role in (sql.SQL("PUBLIC"), sql.Identifier(properties.owner)):
            yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, role)
        yield from grants.statements(database, properties.grants, properties.owner, may_become)


def apply_settings(name: str, properties: DatabaseProperties) -> Iterator[sql.Composed]:
    """The settings alone: what is loaded may depend on them, as a materialised view that reads one does."""
    for setting in properties.settings:
        yield set_setting(sql.Identifier(name), setting)


def set_setting(database: sql.Identifier, setting: Setting) -> sql.Composed:
    """One setting of the database, or of a role in it."""
    whose = sql.SQL("ALTER DATABASE {}").format(database)
    if setting.role is not None:
        whose = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(setting.role), database)
    # A name such as my.setting has two parts, each an identifier.
    name = sql.SQL(".").join(sql.Identifier(part) for part in setting.name.split("."))
    return sql.SQL("{} SET {} TO {}").format(whose, name, _value(setting))


def _value(setting: Setting) -> sql.Composable:
    if setting.name not in _LISTS:
        return sql.Literal(setting.value)
    elements = list_elements(setting.value)
    return sql.SQL(", ").join(sql.Literal(element) for element in elements) if elements else sql.Literal("")


def list_elements(value: str) -> list[str]:
    """The elements of a stored list setting, unquoted."""
    if not value.strip():
        return []
    found = []
    position = 0
    while position < len(value):
        match = _ELEMENT.match(value, position)
        if match is None or match.end() == position:
            return [value]
        found.append(match[2].strip() if match[1] is None else match[1].replace('""', '"'))
        position = match.end()
    return found
