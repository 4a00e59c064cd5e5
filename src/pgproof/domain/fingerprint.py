"""What a database held in one snapshot, and the differences between two such records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class FingerprintLevel(StrEnum):
    """How much of every table is recorded: only that it is there, its exact row count, or its content too."""

    NONE = "none"
    COUNTS = "counts"
    CONTENT = "content"


_LEVELS = tuple(FingerprintLevel)


@dataclass(frozen=True)
class Contents:
    """What was read of tables, by name: row counts (``None`` where nobody counted) and content digests.

    `large_objects` is one digest of all large objects. Digests are compared and never interpreted.
    """

    rows: Mapping[str, int | None] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    large_objects: str | None = None


@dataclass(frozen=True)
class SequencePosition:
    """Where a sequence stood. It is not transactional, so it may move while the dump runs.

    `settled` tells that it stood still from the fingerprint to the end of the dump: only then can the
    archive be held to the exact value. One that only moved on (`bounded`) is held to this value or a later
    one; one that may have cycled or was set back, to nothing.
    """

    last_value: int
    is_called: bool
    increment: int = 1
    settled: bool = True
    bounded: bool = True

    def accepts(self, other: "SequencePosition") -> bool:
        """Whether a restored sequence may stand at `other`."""
        if self.settled:
            return (self.last_value, self.is_called) == (other.last_value, other.is_called)
        return not self.bounded or not self.is_ahead_of(other)

    def is_ahead_of(self, other: "SequencePosition") -> bool:
        """Whether `other` is a position that this sequence has passed already."""
        return (self.last_value - other.last_value) * (1 if self.increment > 0 else -1) > 0

    def moved_to(self, later: "SequencePosition | None") -> "SequencePosition":
        """This position, knowing where the sequence stood when the dump had ended (``None``: dropped)."""
        if later is None:
            return replace(self, settled=False, bounded=False)
        if (self.last_value, self.is_called) == (later.last_value, later.is_called):
            return self
        return replace(self, settled=False, bounded=self.bounded and not self.is_ahead_of(later))


@dataclass(frozen=True)
class Fingerprint:
    """Exact row counts and positions, keyed by the quoted, schema-qualified name of the object.

    `tables` holds every table whose rows the archive carries; `schema_only` those whose definition
    alone it carries (log and cache tables): they come back empty. `digests` and `large_objects_digest` are
    there at the level "content"; counts are ``None`` at the level "none".
    """

    tables: Mapping[str, int | None] = field(default_factory=dict)
    schema_only: frozenset[str] = frozenset()
    sequences: Mapping[str, SequencePosition] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)
    large_objects: int = 0
    level: FingerprintLevel = FingerprintLevel.COUNTS
    digests: Mapping[str, str] = field(default_factory=dict)
    large_objects_digest: str | None = None

    @property
    def rows(self) -> int:
        """All counted rows."""
        return sum(rows for rows in self.tables.values() if rows is not None)

    @property
    def counted_rows(self) -> int | None:
        """The same; ``None`` where nothing was counted."""
        return None if self.level is FingerprintLevel.NONE else self.rows

    def of_tables(self, wanted: frozenset[str]) -> "Fingerprint":
        """What is recorded about some tables, and nothing about anything else."""
        return Fingerprint(
            tables={name: rows for name, rows in self.tables.items() if name in wanted},
            schema_only=self.schema_only & wanted,
            level=self.level,
            digests={name: digest for name, digest in self.digests.items() if name in wanted},
        )


@dataclass(frozen=True)
class Difference:
    """One thing that a restored database has otherwise than recorded; ``None`` stands for absent."""

    kind: str
    name: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        if self.actual is None:
            return f"{self.kind} {self.name} is missing"
        if self.expected is None:
            return f"{self.kind} {self.name} was not there before"
        return f"{self.kind} {self.name}: expected {self.expected}, found {self.actual}"


def differences(expected: Fingerprint, actual: Fingerprint) -> tuple[Difference, ...]:
    """Everything in which a restored database is not what was recorded, in a stable order.

    Tables are held to as much as was recorded of them. Versions of extensions are not compared: PostgreSQL
    restores an extension in the version that the server offers, and says so in its documentation of pg_dump.
    """
    if _LEVELS.index(actual.level) < _LEVELS.index(expected.level):
        raise ValueError(f"{expected.level} was recorded and cannot be held to {actual.level}")
    return (
        *_table_differences(expected, actual),
        *_sequence_differences(expected, actual),
        *_extension_differences(expected, actual),
        *_large_object_differences(expected, actual),
    )


def _table_differences(expected: Fingerprint, actual: Fingerprint) -> Iterator[Difference]:
    wanted = expected.tables.keys() | expected.schema_only
    found = actual.tables.keys() | actual.schema_only
    for name in sorted(wanted | found):
        before = _rows(expected, name) if name in wanted else None
        after = _rows(actual, name) if name in found else None
        digest = expected.digests.get(name)
        if before is None or after is None or (_UNCOUNTED not in (before, after) and before != after):
            yield Difference("table", name, before, after)
        elif digest is not None and digest != actual.digests.get(name):
            yield Difference("table", name, f"content {digest}", f"content {actual.digests.get(name)}")


def _sequence_differences(expected: Fingerprint, actual: Fingerprint) -> Iterator[Difference]:
    for name in sorted(expected.sequences.keys() | actual.sequences.keys()):
        before, after = expected.sequences.get(name), actual.sequences.get(name)
        if before is None or after is None or not before.accepts(after):
            yield Difference("sequence", name, _position(before), _position(after))


def _extension_differences(expected: Fingerprint, actual: Fingerprint) -> Iterator[Difference]:
    for name, version in sorted(expected.extensions.items()):
        if name not in actual.extensions:
            yield Difference("extension", name, version, None)


def _large_object_differences(expected: Fingerprint, actual: Fingerprint) -> Iterator[Difference]:
    if expected.large_objects != actual.large_objects:
        yield Difference("large objects", "count", str(expected.large_objects), str(actual.large_objects))
    elif expected.large_objects_digest not in (None, actual.large_objects_digest):
        yield Difference(
            "large objects", "content", str(expected.large_objects_digest), str(actual.large_objects_digest)
        )


_UNCOUNTED = "any number of rows"


def _rows(fingerprint: Fingerprint, name: str) -> str:
    count = fingerprint.tables.get(name, 0)
    return _UNCOUNTED if count is None else f"{count} rows"


def _position(position: SequencePosition | None) -> str | None:
    if position is None:
        return None
    return f"{'at' if position.settled else 'at or after'} {position.last_value}"
