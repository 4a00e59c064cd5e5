"""What a database held in one snapshot, and the differences between two such records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace


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
    alone it carries (log and cache tables): they come back empty.
    """

    tables: Mapping[str, int] = field(default_factory=dict)
    schema_only: frozenset[str] = frozenset()
    sequences: Mapping[str, SequencePosition] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)
    large_objects: int = 0

    @property
    def rows(self) -> int:
        """All counted rows."""
        return sum(self.tables.values())


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

    Versions of extensions are not compared: PostgreSQL restores an extension in the version that the
    server offers, and says so in its documentation of pg_dump.
    """
    return (
        *_table_differences(expected, actual),
        *_sequence_differences(expected, actual),
        *_extension_differences(expected, actual),
        *_large_object_differences(expected, actual),
    )


def _table_differences(expected: Fingerprint, actual: Fingerprint) -> Iterator[Difference]:
    wanted = {**expected.tables, **dict.fromkeys(expected.schema_only, 0)}
    found = {**actual.tables, **dict.fromkeys(actual.schema_only, 0)}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield Difference("table", name, _rows(wanted.get(name)), _rows(found.get(name)))


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


def _rows(count: int | None) -> str | None:
    return None if count is None else f"{count} rows"


def _position(position: SequencePosition | None) -> str | None:
    if position is None:
        return None
    return f"{'at' if position.settled else 'at or after'} {position.last_value}"
