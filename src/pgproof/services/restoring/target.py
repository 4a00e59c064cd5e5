"""Whether the database that a restore is to end up in must be there, or must not."""

from pgproof.domain.errors import Conflict
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.domain.wording import in_quotes


def check_target(options: RestoreOptions, dbname: str, *, exists: bool) -> None:
    """Raise `Conflict` where the mode does not fit what is there. A swap fits both."""
    if options.mode is RestoreMode.NEW_DATABASE and exists:
        raise Conflict(
            f"there is a database {in_quotes(dbname)} already",
            hint="Choose another name with --to; an existing database is replaced by --mode swap only.",
        )
    if options.mode is RestoreMode.IN_PLACE and not exists:
        raise Conflict(
            f"there is no database {in_quotes(dbname)} to restore into",
            hint="Use --mode swap, which makes it, or create it first.",
        )
