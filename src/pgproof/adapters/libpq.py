"""What the caller's environment says about PostgreSQL counts for nobody, so that all of us see the same server.

libpq takes from PGHOST, PGPASSWORD and their like whatever a connection leaves open. The tools are started
without them; a session of our own process has to be told libpq's own values instead. Only PGPASSFILE counts,
for both: it names a file and says nothing by itself.
"""

import os
import pwd
from collections.abc import Collection, Mapping
from typing import Any

from psycopg import pq

from pgproof.domain.database import ConnectionInfo

_KEPT = frozenset({"dbname", "passfile", "service", "user"})
# Where libpq has no default that could be written down, and would not take an empty value for none.
_UNWRITTEN = {
    "connect_timeout": "0",
    "max_protocol_version": "3.0",
    "min_protocol_version": "3.0",
    "require_auth": "none,password,md5,gss,sspi,scram-sha-256",
    "sslcertmode": "allow",
}


def parameters(connection: ConnectionInfo, given: Mapping[str, Any]) -> dict[str, Any]:
    """What `psycopg.connect` takes for a session of our own: the connection's, with `given` for what it leaves open."""
    wanted = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user,
        "password": connection.password.reveal() if connection.password else "",
        "dbname": connection.dbname,
        "client_encoding": "utf8",
        **given,
        **connection.options,
    }
    said = {name: value for name, value in wanted.items() if value}
    return {**own_defaults(said), **said}


def own_defaults(given: Collection[str]) -> dict[str, Any]:
    """Values for what a connection leaves open and the environment would fill; `given` are keywords of libpq.

    With a `service` there are none: they would win over what the service says.
    """
    if "service" in given:
        return {}
    found = {
        option.keyword.decode(): (option.compiled or b"").decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar and option.val != option.compiled
    }
    open_ones = found.keys() - _KEPT - set(given)
    values = {name: _UNWRITTEN.get(name, found[name]) for name in open_ones}
    return values if "user" in given else {**values, **_system_user()}


def _system_user() -> dict[str, str]:
    try:
        return {"user": pwd.getpwuid(os.geteuid()).pw_name}
    except KeyError:
        return {}  # libpq itself says what is wrong
