"""RESTORE.md is typed into a shell: what a manifest names stays a name there."""

from dataclasses import replace

import pytest

from pgproof.domain.archive import ArchiveFormat
from pgproof.services import instructions
from tests.command_line import MANIFEST

ODD = "globals.sql; echo owned"


@pytest.mark.parametrize("form", ArchiveFormat)
@pytest.mark.parametrize("imported_from", [None, "old.dump"])
def test_the_name_of_an_object_is_one_word_in_every_command(form: ArchiveFormat, imported_from: str | None) -> None:
    objects = tuple(replace(MANIFEST.archive, name=name) for name in ("x $(id)", ODD))
    options = replace(MANIFEST.options, format=form)
    guide = instructions.render(replace(MANIFEST, objects=objects, options=options, imported_from=imported_from))
    assert " 'x $(id)' |" in guide
    assert guide.count("$(id)") == 1
    assert guide.count(ODD) == guide.count(f"'{ODD}'") == (imported_from is None)
