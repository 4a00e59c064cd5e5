"""Dumps that others have made, where they lie."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class FoundDump:
    """A file or folder of pg_dump. `name` is for people, `modified_at` when it was last written."""

    path: Path
    name: str
    modified_at: datetime
    is_folder: bool


class DumpFiles(Protocol):
    """Files and folders that pg_dump wrote. Nothing there is ever changed."""

    def find(self, path: Path) -> FoundDump:
        """What lies there. Raises `NotFound`, and `InvalidInput` for a folder that is no dump."""

    def read(self, dump: FoundDump) -> Generator[bytes, None, None]:
        """The file's bytes, or a folder's files as one tar; the same bytes every time. To be closed.

        Raises `InvalidInput` if it cannot be read.
        """
