"""Hooks of MkDocs: pages that may be missing, and links to files beside `docs`."""

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)#\s]+)\)")


def on_config(config: Any) -> Any:
    """Leave out of the navigation what is optional and not there."""
    docs = Path(config["docs_dir"])
    missing = {name for name in config["extra"]["optional_pages"] if not (docs / name).exists()}
    config["nav"] = _without(config["nav"], missing)
    return config


def _without(entries: list[Any], missing: set[str]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _without(target, missing)})
        elif target not in missing:
            kept.append(entry)
    return kept


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """A link to a file beside `docs` becomes its name, and one to an optional page that is missing its text."""
    for found in _OUTSIDE.finditer(markdown):
        if not (_ROOT / found["path"]).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {found['path']}, which is not there")
    docs = Path(config["docs_dir"])
    for name in config["extra"]["optional_pages"]:
        if not (docs / name).exists():
            markdown = re.sub(rf"\[([^\]]*)\]\({re.escape(name)}(?:#[^)]*)?\)", r"\1", markdown)
    return _OUTSIDE.sub(r"\g<text>", markdown)
