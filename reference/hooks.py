"""Hook of MkDocs: links to files beside `docs`."""

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)#\s]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A link to a file beside `docs` becomes its name. Raises `FileNotFoundError` if there is no such file."""
    for found in _OUTSIDE.finditer(markdown):
        if not (_ROOT / found["path"]).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {found['path']}, which is not there")
    return _OUTSIDE.sub(r"\g<text>", markdown)
