"""What belongs to a database itself rather than to anything in it: pg_dump leaves it out without --create."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Setting:
    """One `ALTER DATABASE SET`, or with a role one `ALTER ROLE IN DATABASE SET`."""

    name: str
    value: str
    role: str | None = None


@dataclass(frozen=True)
class Grant:
    """One privilege on the database; grantee ``None`` is PUBLIC."""

    grantee: str | None
    privilege: str
    grantable: bool
    grantor: str


@dataclass(frozen=True)
class DatabaseProperties:
    """Owner, encoding, locale, settings and grants, as pg_database and its neighbours hold them.

    `grants` is ``None`` where the access privileges were never changed from PostgreSQL's defaults.
    `locale_provider` is one of "libc", "icu", "builtin"; `locale` is that provider's own locale name.
    """

    owner: str
    encoding: str
    collate: str
    ctype: str
    locale_provider: str = "libc"
    locale: str | None = None
    icu_rules: str | None = None
    tablespace: str = "pg_default"
    connection_limit: int = -1
    comment: str | None = None
    has_public_schema: bool = True
    is_template: bool = False
    settings: tuple[Setting, ...] = ()
    grants: tuple[Grant, ...] | None = None

    def for_roles(self, role_map: Mapping[str, str]) -> "DatabaseProperties":
        """The same with other roles in the place of some."""

        def renamed(role: str | None) -> str | None:
            return None if role is None else role_map.get(role, role)

        grants = self.grants and tuple(
            replace(grant, grantee=renamed(grant.grantee), grantor=role_map.get(grant.grantor, grant.grantor))
            for grant in self.grants
        )
        return replace(
            self,
            owner=role_map.get(self.owner, self.owner),
            settings=tuple(replace(setting, role=renamed(setting.role)) for setting in self.settings),
            grants=grants,
        )

    @property
    def roles(self) -> frozenset[str]:
        """Every role that these properties mention."""
        mentioned = {self.owner, *(setting.role for setting in self.settings)}
        for grant in self.grants or ():
            mentioned |= {grant.grantee, grant.grantor}
        return frozenset(role for role in mentioned if role)


# Of a database of which only a dump is known.
UNKNOWN = DatabaseProperties(owner="", encoding="UTF8", collate="C", ctype="C")
