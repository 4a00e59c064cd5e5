"""What others hold in a database: prepared transactions, slots, subscriptions, sessions that we may not end."""

from pgproof.adapters.postgres.connect import Session
from pgproof.domain.obstacles import LogicalSlot, Obstacles, PreparedTransaction, ProtectedSession

# A prepared transaction has no process. Its locks are found by that on its own number.
_PREPARED = """
    SELECT p.gid, p.owner, ARRAY(
        SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_locks own
        JOIN pg_catalog.pg_locks held ON held.virtualtransaction = own.virtualtransaction AND held.pid IS NULL
            AND held.locktype = 'relation'
        JOIN pg_catalog.pg_database d ON d.oid = held.database AND d.datname = p.database
        JOIN pg_catalog.pg_class c ON c.oid = held.relation
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE own.locktype = 'transactionid' AND own.transactionid = p.transaction AND own.pid IS NULL
        ORDER BY 1)
    FROM pg_catalog.pg_prepared_xacts p
    WHERE p.database = pg_catalog.current_database() ORDER BY p.prepared, p.gid
"""

_SLOTS = """
    SELECT slot_name, active_pid FROM pg_catalog.pg_replication_slots
    WHERE slot_type = 'logical' AND database = pg_catalog.current_database() AND NOT temporary ORDER BY 1
"""

_SUBSCRIPTIONS = """
    SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = pg_catalog.current_database() AND s.subenabled ORDER BY 1
"""

# As pg_signal_backend() decides. Only PostgreSQL's own processes have no role, and RENAME ends or ignores those.
_SESSIONS = """
    SELECT a.pid, r.rolname, r.rolsuper
    FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
      AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
      AND (r.rolsuper OR NOT (pg_catalog.pg_has_role(r.oid, 'USAGE')
                              OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')))
    ORDER BY 1
"""


def find(session: Session) -> Obstacles:
    """What is in the session's database."""
    (our_role,) = session.execute("SELECT current_user").fetchone() or ("",)
    return Obstacles(
        our_role=our_role,
        prepared=tuple(
            PreparedTransaction(gid, owner, tuple(tables)) for gid, owner, tables in session.execute(_PREPARED)
        ),
        slots=tuple(LogicalSlot(*row) for row in session.execute(_SLOTS)),
        subscriptions=tuple(name for (name,) in session.execute(_SUBSCRIPTIONS)),
        sessions=tuple(ProtectedSession(*row) for row in session.execute(_SESSIONS)),
    )
