"""`/api/admin/backups/{id}/download` and `/manifest`: what lies in the storage."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from pgproof.domain.backup import Backup
from pgproof.domain.errors import ChecksumMismatch
from pgproof.entrypoints.http.context import Context
from pgproof.entrypoints.http.dependencies import Downloader, Looker
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.problems import ProblemResponse, make_problem
from pgproof.entrypoints.http.ranges import NotSatisfiable, Span, wanted_span
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.manifests import ManifestView, manifest_view
from pgproof.entrypoints.http.streaming import stream
from pgproof.services.backups import check_usable
from pgproof.services.contents import read_manifest
from pgproof.services.deleting import check_here

router = APIRouter(prefix="/api/admin/backups", tags=["backups"])

_OCTETS = "application/octet-stream"
_BYTES = {_OCTETS: {"schema": {"type": "string", "format": "binary"}}}
_HEADERS = {
    name: {"description": meaning, "schema": {"type": "string"}}
    for name, meaning in {
        "ETag": "The SHA-256 of the whole archive.",
        "Content-Disposition": "The filename as stored.",
        "Accept-Ranges": "`bytes`",
    }.items()
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole archive.", "content": _BYTES, "headers": _HEADERS},
    206: {"description": "The part that `Range` asks for.", "content": _BYTES, "headers": _HEADERS},
    304: {"description": "The caller has it: `If-None-Match` names its SHA-256."},
    **problems(404, 409, 416, 502),
}

_Range = Annotated[
    str | None,
    Header(
        alias="Range",
        description="One range of bytes; several are answered with the whole.",
        examples=["bytes=0-1023"],
    ),
]
_IfRange = Annotated[str | None, Header(description="The ETag for which the range counts; else the whole comes.")]
_IfNoneMatch = Annotated[str | None, Header(description="ETags of what the caller has.")]


@router.get("/{backup_id}/manifest", responses=problems(404, 409, 502))
def get_manifest(context: Looker, backup_id: PathId) -> ManifestView:
    """The manifest: what the database held at the moment of the backup, and what is stored."""
    backup = context.app.catalog.get_backup(backup_id)
    check_usable(backup)
    return manifest_view(read_manifest(context.app.storage, backup))


@router.get("/{backup_id}/download", response_class=Response, responses=_ANSWERS)
def download_backup(
    context: Downloader,
    backup_id: PathId,
    range_wanted: _Range = None,
    if_range: _IfRange = None,
    if_none_match: _IfNoneMatch = None,
) -> Response:
    """The archive as it is stored. A download that broke off goes on with `Range` and `If-Range`."""
    backup = _checked(context, backup_id)
    headers = _headers(backup)
    if if_none_match is not None and _names(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    size = backup.file_size or 0
    try:
        part = wanted_span(range_wanted if if_range in (None, headers["ETag"]) else None, size)
    except NotSatisfiable:
        return _outside(context, size)
    span = part or Span(0, size)
    headers["Content-Length"] = str(span.length)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    chunks = context.app.storage.read(backup.file_path, span.start)
    context.audit("backup.download", backup.id, first_byte=span.start, bytes=span.length, of=size)
    return StreamingResponse(
        stream(chunks, span.length), status_code=200 if part is None else 206, headers=headers, media_type=_OCTETS
    )


@router.head("/{backup_id}/download", response_class=Response, responses=_ANSWERS)
def look_at_download(context: Downloader, backup_id: PathId) -> Response:
    """The headers of a download: length, SHA-256, filename."""
    backup = _checked(context, backup_id)
    headers = {**_headers(backup), "Content-Length": str(backup.file_size or 0), "Content-Type": _OCTETS}
    return Response(headers=headers)


def _checked(context: Context, backup_id: int) -> Backup:
    """The backup, if all of its archive is there. Raises `Conflict`, `ObjectMissing`, `ChecksumMismatch`."""
    backup = context.app.catalog.get_backup(backup_id)
    check_usable(backup)
    check_here(context.app.storage, backup)
    stored = context.app.storage.stat(backup.file_path)
    if stored.size != backup.file_size:
        raise ChecksumMismatch(
            f"the stored archive has {stored.size} bytes, recorded are {backup.file_size}",
            hint="Somebody has altered it. Verify the backup, and use another one.",
        )
    return backup


def _headers(backup: Backup) -> dict[str, str]:
    plain = "".join(
        char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in backup.filename
    )
    named = f'attachment; filename="{plain}"'
    if plain != backup.filename:
        named += f"; filename*=UTF-8''{quote(backup.filename, safe='')}"
    return {"Accept-Ranges": "bytes", "ETag": f'"{backup.checksum_sha256}"', "Content-Disposition": named}


def _names(if_none_match: str, etag: str) -> bool:
    named = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return bool(named & {etag, "*"})


def _outside(context: Context, size: int) -> Response:
    return ProblemResponse(
        make_problem(
            416,
            "range_not_satisfiable",
            f"the archive has {size} bytes, and the range begins behind them",
            hint="Ask for a range inside, or leave the header Range out.",
            request_id=context.request_id,
        ),
        {"Content-Range": f"bytes */{size}"},
    )
