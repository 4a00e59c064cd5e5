"""Write every generated page anew."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from reference import api, commands, settings

DOCS = Path(__file__).parents[1] / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "cli-reference.md": commands.page,
    "settings-reference.md": settings.page,
    "api-reference.md": api.page,
}


def main() -> None:
    """Write all pages; name those that changed."""
    for name, page in PAGES.items():
        text, path = page(), DOCS / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"docs/{name} is new\n")


if __name__ == "__main__":
    main()
