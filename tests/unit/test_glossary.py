"""The glossary and the code say the same words."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| word ")
]
IN_THE_CODE = [path for row in ROWS if len(row) == 4 for path in re.findall(r"`([^`]+)`", row[2])]
NEVER = {name: row[0] for row in ROWS if len(row) == 4 for name in re.findall(r"`([^`]+)`", row[3])}


def snake(name: str) -> str:
    """`DumpFile`, `_dump_file` and `DUMP_FILE` are one name."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().strip("_")


def holds(name: str, words: str) -> bool:
    """Whether a name contains these words, as whole words next to each other."""
    return f"_{words}_" in f"_{snake(name)}_"


def names(tree: ast.AST) -> Iterator[str]:
    """Every name that a module gives: what it takes from a library is called what the library calls it."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass


EVERY_NAME = {
    (name, path.relative_to(ROOT).as_posix())
    for path in (ROOT / "src").rglob("*.py")
    for name in (path.stem, *names(ast.parse(path.read_text())))
}


def step(owner: Any, name: str) -> Any:
    """One step along a dotted path; a class has its fields as well."""
    if isinstance(owner, type) and name in inspect.get_annotations(owner):
        return None
    return getattr(owner, name)


def find(path: str) -> None:
    """Follow a dotted path below `pgproof`: modules first, then what is in them. Raises `AttributeError`."""
    found: Any = importlib.import_module("pgproof")
    module = True
    for name in path.split("."):
        try:
            found = importlib.import_module(f"{found.__name__}.{name}") if module else step(found, name)
        except ModuleNotFoundError:
            module, found = False, step(found, name)


def test_the_tables_are_read_at_all() -> None:
    assert {"domain.backup.Backup", "services.ports.Snapshot"} <= set(IN_THE_CODE)
    assert NEVER["dump_file"] == "Archive"
    assert ("Backup", "src/pgproof/domain/backup.py") in EVERY_NAME


@pytest.mark.parametrize("path", IN_THE_CODE)
def test_what_the_glossary_names_in_the_code_is_there(path: str) -> None:
    find(path)


@pytest.mark.parametrize("path", ["domain.backup.Bakup", "domain.restore.Restore.previous", "nothing"])
def test_a_name_that_is_not_there_would_be_noticed(path: str) -> None:
    with pytest.raises(AttributeError):
        find(path)


@pytest.mark.parametrize("synonym", NEVER)
def test_no_synonym_names_anything_in_the_code(synonym: str) -> None:
    used = sorted((name, path) for name, path in EVERY_NAME if holds(name, synonym))
    assert not used, f"the glossary's word is {NEVER[synonym]}"


@pytest.mark.parametrize("name", ["dump_file", "DumpFile", "_DUMP_FILE", "the_dump_file_name", "oldDumpFile"])
def test_a_synonym_is_recognised_in_every_spelling(name: str) -> None:
    assert holds(name, "dump_file")


@pytest.mark.parametrize("name", ["dump_files", "dump", "dump_profile"])
def test_other_names_are_left_alone(name: str) -> None:
    assert not holds(name, "dump_file")


def test_no_word_is_explained_twice() -> None:
    words = [word for row in ROWS for word in row[0].lower().split(", ")]
    assert sorted(words) == sorted(set(words))
