"""A script of PostgreSQL's tools, taken apart into statements."""

import re
from collections.abc import Iterator

# Where the meaning of a semicolon may change: literals, quoted names, dollar quotes, comments. A string with
# backslash escapes begins with E, a dollar quote not within a name.
_SPECIAL = re.compile(r"""(?<![\w$])[eE]'|'|"|(?<![\w$])\$(?:[^\W\d]\w*)?\$|--|/\*|;""")
_END_OF_ESCAPED = re.compile(r"(?:[^'\\]|''|\\.)*'", re.DOTALL)


def pieces(script: str) -> Iterator[str]:
    """The statements of a script, without their semicolons, and the comments between them, in their order.

    A comment is one line and begins with ``--``; a statement never does. Lines that speak to psql are left out.
    """
    position = start = 0
    while found := _SPECIAL.search(script, position):
        position = found.end()
        match found[0]:
            case ";":
                statement = _without_commands(script[start : found.start()])
                if statement:
                    yield statement
                start = position
            case "--":
                end = _after(script, "\n", position)
                if not _without_commands(script[start : found.start()]):
                    yield script[found.start() : end].rstrip("\n")
                    start = end
                position = end
            case "/*":
                position = _after(script, "*/", position)
            case "E'" | "e'":
                closed = _END_OF_ESCAPED.match(script, position)
                position = closed.end() if closed else len(script)
            case quote:
                position = _after(script, quote, position)
    statement = _without_commands(script[start:])
    if statement:
        yield statement


def _after(script: str, mark: str, position: int) -> int:
    # A doubled quote ends a literal and begins the next at once, which comes to the same.
    found = script.find(mark, position)
    return len(script) if found < 0 else found + len(mark)


def _without_commands(text: str) -> str:
    text = text.strip()
    while text.startswith("\\"):
        text = text.partition("\n")[2].strip()
    return text
