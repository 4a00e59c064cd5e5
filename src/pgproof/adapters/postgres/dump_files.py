"""Dumps in files and folders of this machine."""

from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

from pgproof.adapters.postgres import tarball
from pgproof.domain.errors import InvalidInput, NotFound
from pgproof.services.ports.dumps import FoundDump

_CHUNK = 1 << 20


class LocalDumpFiles:
    """The `DumpFiles` port."""

    def find(self, path: Path) -> FoundDump:
        """See the port."""
        try:
            is_folder = path.is_dir()
            marker = path / tarball.CONTENTS if is_folder else path
            modified_at = datetime.fromtimestamp(marker.stat().st_mtime, UTC)
        except FileNotFoundError as error:
            if not path.exists():
                raise NotFound(f"there is no file or folder {path}", hint="Give the path of a dump.") from error
            raise InvalidInput(
                f"the folder {path} holds no {tarball.CONTENTS}: it is no dump in the directory format",
                hint="Import the dumps in it one by one.",
            ) from error
        except OSError as error:
            raise _unreadable(path, error) from error
        if not is_folder and not path.is_file():
            raise InvalidInput(f"{path} is no regular file", hint="Give the path of a dump.")
        return FoundDump(path, path.resolve().name, modified_at, is_folder)

    def read(self, dump: FoundDump) -> Generator[bytes, None, None]:
        """See the port."""
        try:
            if dump.is_folder:
                yield from tarball.pack(dump.path, keep=True)
                return
            with dump.path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise _unreadable(dump.path, error) from error


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"unable to read {path}: {error.strerror}", hint="Let the user that runs pgproof read it.")
