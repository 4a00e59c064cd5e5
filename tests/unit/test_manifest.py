"""The manifest survives being written and read, and refuses what it cannot understand."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.errors import ManifestInvalid
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel, SequencePosition
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.domain.properties import DatabaseProperties, Grant, Setting

MANIFEST = Manifest(
    product_version="1.0",
    backup_id=7,
    database="shop",
    dbname="shop",
    system_identifier="7300000000000000001",
    server_version="18.4",
    client_version="18.4",
    snapshot="00000003-00000002-1",
    started_at=datetime(2025, 1, 1, tzinfo=UTC),
    completed_at=datetime(2025, 1, 1, 0, 1, tzinfo=UTC),
    database_size_bytes=8_000_000,
    options=BackupOptions(format=ArchiveFormat.DIRECTORY, compression=Compression.GZIP, description="x"),
    objects=(StoredObject("a.tar.gz", 10, "ab" * 32, Compression.GZIP),),
    fingerprint=Fingerprint(
        tables={"public.a": 1},
        schema_only=frozenset({"public.log", "public.cache"}),
        sequences={"public.s": SequencePosition(-3, True, -1, settled=False)},
        extensions={"plpgsql": "1.0"},
        large_objects=1,
    ),
    properties=DatabaseProperties(
        owner="o",
        encoding="UTF8",
        collate="C",
        ctype="C",
        settings=(Setting("search_path", "a, b", "r"),),
        grants=(Grant(None, "CONNECT", False, "o"),),
    ),
    roles=("o", "r"),
    excluded_data=("public.log",),
)

texts = st.text(st.characters(codec="utf-8"))


def test_a_manifest_of_an_earlier_pgproof_left_nothing_out_that_it_could_name() -> None:
    body = json.loads(MANIFEST.render())
    del body["excluded_data"]
    assert Manifest.parse(json.dumps(body)).excluded_data == ()


def test_what_was_written_is_read_back_equal() -> None:
    assert Manifest.parse(MANIFEST.render()) == MANIFEST
    default_grants = replace(MANIFEST, properties=replace(MANIFEST.properties, grants=None))
    assert Manifest.parse(default_grants.render()).properties.grants is None


@given(
    tables=st.dictionaries(texts, st.integers(0)),
    sequences=st.dictionaries(texts, st.builds(SequencePosition, st.integers(), st.booleans(), st.integers())),
    only=st.frozensets(texts),
    dbname=texts,
)
def test_any_names_and_counts_survive(
    tables: dict[str, int], sequences: dict[str, SequencePosition], only: frozenset[str], dbname: str
) -> None:
    fingerprint = Fingerprint(tables, only, sequences, {}, 0)
    manifest = replace(MANIFEST, fingerprint=fingerprint, dbname=dbname)
    assert Manifest.parse(manifest.render().encode()) == manifest


def test_every_level_of_fingerprint_is_read_back_and_an_earlier_manifest_has_counts() -> None:
    content = Fingerprint(
        {"public.a": 1}, level=FingerprintLevel.CONTENT, digests={"public.a": "1:-2"}, large_objects_digest="0:0"
    )
    uncounted = Fingerprint({"public.a": None}, level=FingerprintLevel.NONE)
    for fingerprint in (content, uncounted):
        options = replace(MANIFEST.options, fingerprint=fingerprint.level)
        manifest = replace(MANIFEST, fingerprint=fingerprint, options=options)
        assert Manifest.parse(manifest.render()) == manifest
    body = json.loads(MANIFEST.render())
    for key in ("level", "digests", "large_objects_digest"):
        del body["fingerprint"][key]
    del body["options"]["fingerprint"]
    assert Manifest.parse(json.dumps(body)) == MANIFEST


def test_the_text_names_its_format_and_holds_no_password() -> None:
    body = json.loads(MANIFEST.render())
    assert (body["format_version"], body["product"]) == (1, "pgproof")
    assert "password" not in MANIFEST.render()


def test_a_newer_format_is_refused_rather_than_guessed() -> None:
    body = json.loads(MANIFEST.render()) | {"format_version": 2}
    with pytest.raises(ManifestInvalid) as refused:
        Manifest.parse(json.dumps(body))
    assert "Upgrade pgproof" in refused.value.hint


def test_a_key_that_a_later_release_adds_is_left_alone() -> None:
    body = json.loads(MANIFEST.render())
    body["fingerprint"]["sequences"]["public.s"]["future"] = 1
    body["properties"]["future"] = body["future"] = 1
    assert Manifest.parse(json.dumps(body)) == MANIFEST


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "{}", '{"format_version": "1"}', '{"format_version": 1}', "\x00"]
)
def test_what_is_no_manifest_is_an_error_with_a_hint(text: str) -> None:
    with pytest.raises(ManifestInvalid) as refused:
        Manifest.parse(text)
    assert refused.value.hint


PARTS = json.loads(MANIFEST.render()).keys() - {"format_version", "product"}
OPTIONAL = {"imported_from", "installation", "trigger", "table_oids", "excluded_data", "unrestorable"}
NULLABLE = {"imported_from", "installation", "trigger"}


@pytest.mark.parametrize("key", sorted(PARTS - OPTIONAL))
def test_every_part_is_needed(key: str) -> None:
    missing = json.loads(MANIFEST.render())
    del missing[key]
    with pytest.raises(ManifestInvalid):
        Manifest.parse(json.dumps(missing))


@pytest.mark.parametrize("key", sorted(PARTS - NULLABLE))
def test_every_part_must_have_its_shape(key: str) -> None:
    wrong = json.loads(MANIFEST.render()) | {key: None}
    with pytest.raises(ManifestInvalid):
        Manifest.parse(json.dumps(wrong))


def test_a_manifest_without_an_archive_is_none() -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.parse(json.dumps(json.loads(MANIFEST.render()) | {"objects": []}))


def named(*names: str) -> str:
    """The manifest of a backup whose objects have these names."""
    body = json.loads(MANIFEST.render())
    return json.dumps(body | {"objects": [body["objects"][0] | {"name": name} for name in names]})


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "../evil", "/abs", "a\\b", "a/", ".x.part", ".hidden"),
        *("x\ny", "x\0y", "\x1b[2J", "\ud800", "n" * 256, "\u00fc" * 128),
        *("manifest.json", "RESTORE.md", "SHA256SUMS", "restore.md", "a.tar.gz", "A.TAR.GZ"),
    ],
)
def test_an_object_is_one_name_in_the_backups_folder_that_nothing_else_has(name: str) -> None:
    with pytest.raises(ManifestInvalid, match="cannot be the name of an object") as refused:
        Manifest.parse(named("a.tar.gz", name))
    assert refused.value.detail.isprintable()
    assert "another backup" in refused.value.hint


@pytest.mark.parametrize("name", ["globals.sql", "a", "n" * 255, "a b", "gr\u00fc\u00dfe.sql", "a..b", "%2E"])
def test_any_other_name_is_left_to_later_releases(name: str) -> None:
    assert [item.name for item in Manifest.parse(named("a.tar.gz", name)).objects] == ["a.tar.gz", name]


@pytest.mark.parametrize("key", sorted(NULLABLE))
def test_what_may_be_unknown_must_have_its_shape_where_it_is_known(key: str) -> None:
    with pytest.raises(ManifestInvalid):
        Manifest.parse(json.dumps(json.loads(MANIFEST.render()) | {key: 7}))


def test_who_asked_and_where_it_came_from_are_read_back() -> None:
    known = replace(MANIFEST, trigger=BackupTrigger.SCHEDULED_CRON, imported_from="old.dump", installation="an-id")
    assert Manifest.parse(known.render()) == known
    assert (MANIFEST.comparable, known.comparable) == (True, False)
