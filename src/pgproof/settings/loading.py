"""Gather the variables, and report everything that is wrong with them at once."""

import difflib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import ValidationError

from pgproof.domain.errors import ConfigurationError
from pgproof.domain.secret import without_url_passwords
from pgproof.settings.given import as_values
from pgproof.settings.model import Settings
from pgproof.settings.names import FALLBACKS, FIELDS, LATER, LIBPQ, MAY_BE_EMPTY, NAMES, PREFIX, SECRETS


def load_settings(
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    given: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of `environ` (default: the process's) and of `.env` in `directory` (default: here).

    Values that are `given` by a program, under the names of the fields, win over both. Raises `ConfigurationError`
    that lists every problem.
    """
    found = _read_env_file((directory or Path.cwd()) / ".env")
    found.update(os.environ if environ is None else environ)
    found = {name: value for name, value in found.items() if value != "" or name in MAY_BE_EMPTY}
    values = as_values(given or {})
    problems: list[str] = [f"{name} is not a setting" for name in values if name not in FIELDS.values()]
    for name, field in FIELDS.items():
        if field in values:
            continue
        try:
            value = _find(name, found)
        except _UnusableError as problem:
            problems.append(str(problem))
        else:
            if value is not None:
                values[field] = value
    problems.extend(_database_name_missing(values))
    try:
        settings = Settings(
            warnings=(*_unknown(found), *_libpqs(found)),
            **{field: value for field, value in values.items() if field in FIELDS.values()},
        )
    except ValidationError as error:
        wrong = {str(item["loc"][0]) for item in error.errors()}
        problems.extend(_describe(name, values[field]) for name, field in FIELDS.items() if field in wrong)
    if problems:
        raise ConfigurationError(
            "; ".join(problems),
            hint="Correct it in the environment or in .env; docs/configuration.md lists every setting.",
            facts={"problems": problems},
        ) from None  # pydantic's error quotes secrets
    return settings


class _UnusableError(Exception):
    """A variable whose value cannot even be read."""


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"unable to read {path}: {_reason(error)}", hint="Make it readable, or remove it."
        ) from error
    values = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise ConfigurationError(
                f"line {binding.original.line} of {path} is not of the form NAME=value",
                hint="Correct the line, or put a # before it.",
            )
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    return values


def _find(name: str, given: Mapping[str, str]) -> str | None:
    for candidate in (name, FALLBACKS.get(name)):
        value = None if candidate is None else _read(candidate, given, may_be_file=name in SECRETS)
        if value is not None:
            return value
    return None


def _read(name: str, given: Mapping[str, str], *, may_be_file: bool) -> str | None:
    path = given.get(f"{name}_FILE") if may_be_file else None
    if path is None:
        return given.get(name)
    if name in given:
        raise _UnusableError(f"{name} and {name}_FILE are both set; unset one of them")
    try:
        value = Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise _UnusableError(f"{name}_FILE is {path!r}, but must be a readable file ({_reason(error)})") from error
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise _UnusableError(f"{name}_FILE is {path!r}, but that file is empty; write the secret to it")
    return value


def _reason(error: OSError | UnicodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8 text"


def _describe(name: str, value: object) -> str:
    shown = "'***'" if name in SECRETS else repr(without_url_passwords(str(value)))
    return f"{name} is {shown}, but must be {Settings.model_fields[FIELDS[name]].description}"


def _database_name_missing(values: Mapping[str, Any]) -> Iterator[str]:
    one_is_meant = any(field.startswith("postgres_") for field in values)
    if one_is_meant and not {"postgres_db", "postgres_user"} & values.keys():
        yield "BACKUP_POSTGRES_DB is not set, but must be the name of the database to protect"


def _libpqs(given: Mapping[str, str]) -> Iterator[str]:
    found = [name for name in LIBPQ if name in given]
    if found:
        yield (
            f"{', '.join(found)} {'counts' if len(found) == 1 else 'count'} for libpq, not for pgproof; "
            "say it in BACKUP_POSTGRES_* or in the database's URL"
        )


def _unknown(given: Mapping[str, str]) -> Iterator[str]:
    known = {*NAMES, *LATER, *(f"{name}_FILE" for name in LATER)}
    for name in sorted(given):
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, sorted(known), n=1)
            yield f"{name} is not a setting" + (f"; did you mean {nearest[0]}?" if nearest else "")
