"""Kinds of fields that requests have in common. Each is strict: ``"5"`` is no number and ``1`` is no truth value."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from pgproof.domain.archive import WRITTEN, ArchiveFormat

LARGEST_ID = 2**63 - 1
_MOST_FIELDS = 100
_DIGITS = re.compile(r"[0-9]{1,19}")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class Request(BaseModel):
    """A request's body or query. A field that nobody knows is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _not_too_many(cls, data: Any) -> Any:
        """Each unknown field becomes an error of its own, and a body has room for very many."""
        if isinstance(data, Mapping) and len(data) > _MOST_FIELDS:
            raise ValueError(f"Input should have {_MOST_FIELDS} fields at most")
        return data


def _digits(value: Any) -> Any:
    """What a URL writes as a number; JSON's own numbers pass."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("Input should be a whole number, written in digits")
    return value


def _word(value: Any) -> Any:
    """What a URL writes as a truth value."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("Input should be true or false")
    return value


def _date_time(value: Any) -> Any:
    """RFC 3339, 5.6. A number, also one in a URL, could be seconds or milliseconds."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        raise ValueError("Input should be a time such as 2026-03-01T12:30:00Z")
    return value


def _written(value: Any) -> Any:
    """Dumps of other formats can be imported, and nothing more."""
    if value not in WRITTEN:
        raise ValueError(f"Input should be {' or '.join(map(repr, map(str, WRITTEN)))}")
    return value


def _stored(value: str) -> str:
    """PostgreSQL can hold it."""
    if "\0" in value:
        raise ValueError("Input should not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("Input should be valid Unicode") from None
    return value


def _no_url(value: str) -> str:
    """A URL would be registered, and connected to."""
    if value.startswith(("postgresql://", "postgres://")):
        raise ValueError("Input should be the name of a registered database: register the URL first")
    return value


Identifier = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=LARGEST_ID, examples=[17])]
PathId = Annotated[
    int, BeforeValidator(_digits), Path(ge=1, le=LARGEST_ID, description="Its number, as lists show it.", examples=[17])
]
# A name may hold slashes, so a route that takes one uses the converter `path`.
PathName = Annotated[
    str,
    AfterValidator(_stored),
    Path(min_length=1, max_length=200, description="Its name, as lists show it.", examples=["shop"]),
]
UrlNumber = Annotated[int, BeforeValidator(_digits)]
UrlTruth = Annotated[bool, BeforeValidator(_word)]
Number = StrictInt
Fraction = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Truth = StrictBool
Text = Annotated[StrictStr, AfterValidator(_stored)]
Description = Annotated[Text, Field(max_length=2000)]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
WrittenFormat = Annotated[
    ArchiveFormat, BeforeValidator(_written), WithJsonSchema({"type": "string", "enum": list(WRITTEN)})
]
DatabaseName = Annotated[Name, AfterValidator(_no_url)]
Moment = Annotated[AwareDatetime, BeforeValidator(_date_time)]
Limit = Annotated[UrlNumber, Field(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[
    Annotated[str, Field(max_length=200)] | None, Field(description="`next_cursor` of the answer before.")
]
OfDatabase = Annotated[
    Annotated[Text, Field(max_length=200)] | None, Field(description="Only of the database of this name.")
]
