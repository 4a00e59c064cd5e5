"""From the text of a variable to a checked value. Each raises `ValueError` for a text that means nothing."""

import re
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainValidator

from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.cron import check_cron
from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import Secret

SHORTEST_KEY = 16

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S")
# A comma inside a URL belongs to it.
_BETWEEN_URLS = re.compile(r"\s+|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
# A comma inside double quotes belongs to the name.
_PATTERN = re.compile(r'(?:[^,"]|"(?:[^"]|"")*")+')


def _folder(value: str | Path) -> Path:
    return Path(value).expanduser().absolute()


def _patterns(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, str):
        return value
    if value.count('"') % 2:
        raise ValueError("a quote is open")
    return tuple(part.strip() for part in _PATTERN.findall(value) if part.strip())


def _zone(value: str | tzinfo) -> tzinfo:
    if isinstance(value, tzinfo):
        return value
    try:
        return UTC if value.upper() == "UTC" else ZoneInfo(value)
    except (OSError, LookupError) as error:
        raise ValueError("no such time zone") from error


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _secret_key(value: str | Secret) -> Secret:
    key = _secret(value)
    if len(key.reveal()) < SHORTEST_KEY:
        raise ValueError("too short")
    return key


def _server_url(value: str | Secret) -> Secret:
    url = _secret(value)
    if urlsplit(url.reveal()).scheme not in {"postgresql", "postgres"}:
        raise ValueError("another kind of URL")
    return url


def _cron(value: str | None) -> str | None:
    if not value:
        return None
    try:
        return check_cron(value)
    except InvalidInput as error:
        raise ValueError(error.detail) from error


def _urls(value: str | tuple[Secret, ...]) -> tuple[Secret, ...]:
    if not isinstance(value, str):
        return value
    found = [part for part in _BETWEEN_URLS.split(value.strip()) if part]
    if not all(_URL.match(part) for part in found):
        raise ValueError("not a URL")
    return tuple(Secret(part) for part in found)


def _web_url(value: str | Secret) -> Secret:
    url = _secret(value)
    parts = urlsplit(url.reveal())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("another kind of URL")
    return url


def _storage_url(value: str) -> str:
    if "://" not in value:
        return str(_folder(value))
    parts = urlsplit(value)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ValueError("another kind of URL")
    return value


def _written(value: ArchiveFormat) -> ArchiveFormat:
    if value not in WRITTEN:
        raise ValueError("a format of imported dumps only")
    return value


Folder = Annotated[Path, BeforeValidator(_folder)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]
Zone = Annotated[tzinfo, PlainValidator(_zone)]
Cron = Annotated[str | None, PlainValidator(_cron)]
Urls = Annotated[tuple[Secret, ...], PlainValidator(_urls)]
WebUrl = Annotated[Secret, PlainValidator(_web_url)]
Password = Annotated[Secret, PlainValidator(_secret)]
SecretKey = Annotated[Secret, PlainValidator(_secret_key)]
ServerUrl = Annotated[Secret, PlainValidator(_server_url)]
StorageUrl = Annotated[str, BeforeValidator(_storage_url)]
WrittenFormat = Annotated[ArchiveFormat, AfterValidator(_written)]
