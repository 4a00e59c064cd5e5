"""A plain dump is a script for psql: what it holds, and whether it does no more than pg_dump's scripts do.

psql obeys commands that begin with a backslash, some of which start programs. So a script is read as psql reads
it, and whatever pg_dump would not have written there is refused before psql sees it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pgproof.domain.errors import ArchiveUnreadable, InvalidInput
from pgproof.domain.table_of_contents import TABLE_DATA, DumpOrigin, Entry, TableOfContents

_TABLE_CLASS = 1259

# What matters outside of quotes, comments and rows.
_TOKEN = re.compile(
    rb"(?P<version>^-- Dumped (?:from database|by pg_dump) version [^\n]*)"
    rb"|(?P<complete>^-- PostgreSQL database dump complete$)"
    rb"|(?P<comment>--[^\n]*)"
    rb"|(?P<block>/\*)"
    rb"|(?P<quote>')"
    rb'|(?P<name>")'
    rb"|(?P<dollar>(?<![A-Za-z0-9_$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)"
    rb"|(?P<key>^\\(?:un)?restrict [A-Za-z0-9]+$)"
    rb"|(?P<command>\\[^\n]*)"
    rb"|(?P<rows>^COPY (?P<table>[^\n]*?) (?:\([^\n]*\) )?FROM stdin;$)"
    rb"|(?P<created>^CREATE (?:UNLOGGED )?(?:FOREIGN )?TABLE (?P<new>[^\n]*?) \()"
    rb"|(?P<atomic>\bBEGIN ATOMIC\b)"
    rb"|(?P<finish>(?i:^[ \t]*END[ \t]*;[ \t]*$))"
    rb"|(?P<bracket>^(?:BEGIN|COMMIT);$)"
    rb"|(?P<end>(?i:(?<![\w.])(?:COMMIT|ROLLBACK|ABORT)(?=\s*(?:;|\b(?:AND|WORK|TRANSACTION|PREPARED|TO)\b))))"
    rb"|(?P<strings>(?i:standard_conforming_strings\s*(?:=|TO)\s*'?off))",
    re.MULTILINE,
)
_UNESCAPED = re.compile(rb"''|'")
_ESCAPED = re.compile(rb"\\.|''|'", re.DOTALL)
_BLOCK = re.compile(rb"/\*|\*/")
# In rows a backslash stands before these only. None of them begins a command of psql that does anything outside.
_ODD_ROWS = re.compile(rb"\\(?![\\bfnrtvN])")
_LAST_ROW = re.compile(rb"^\\\.$", re.MULTILINE)

_TRUST = "Restore it by hand if you trust it, and take a backup of the result."


@dataclass
class ScriptReader:
    """Follows a script. `alone` leaves out the BEGIN and COMMIT that stand around large objects."""

    alone: bool = False
    _rest: bytes = b""
    _state: str = "sql"
    _tag: bytes = b""
    _depth: int = 0
    _in_body: bool = False
    _entries: list[Entry] = field(default_factory=list)
    _origin: DumpOrigin = field(default_factory=DumpOrigin)
    _is_complete: bool = False

    def passed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The script in whole lines, as psql may have it. Raises `InvalidInput`, `ArchiveUnreadable` at its end."""
        for chunk in chunks:
            text = self._rest + chunk
            cut = text.rfind(b"\n") + 1
            self._rest = text[cut:]
            if cut:
                yield b"".join(self._read(text[:cut]))
        yield b"".join(self._read(self._rest + b"\n"))
        if not self._is_complete or self._state != "sql":
            raise ArchiveUnreadable(
                "the script has no end: pg_dump's last line is missing",
                hint="The dump was cut short. Use another one.",
            )

    @property
    def contents(self) -> TableOfContents:
        """What has passed: tables and their rows, and what the script says about itself."""
        return TableOfContents(tuple(self._entries), self._origin)

    def _read(self, text: bytes) -> Iterator[bytes]:
        position = start = 0
        while position < len(text):
            if self._state != "sql":
                position = self._inside(text, position)
                continue
            found = _TOKEN.search(text, position)
            if found is None:
                break
            if self._is_left_out(found):
                yield text[start : found.start()]
                start = found.end()
            position = self._meet(found, text)
        yield text[start:]

    def _is_left_out(self, found: re.Match[bytes]) -> bool:
        return found.lastgroup == "key" or (self.alone and found.lastgroup == "bracket")

    def _meet(self, found: re.Match[bytes], text: bytes) -> int:
        kind = found.lastgroup or ""
        match kind:
            case "block" | "name" | "rows":
                self._state, self._depth = kind, 1
            case "quote":
                self._state = "escaped" if _is_escaped(text, found.start()) else "quote"
            case "dollar":
                self._state, self._tag = kind, found[0]
            case "version":
                self._note_version(found[0].decode(errors="replace"))
            case "complete":
                self._is_complete = True
            case "atomic":
                self._in_body = True
            case "finish" if self._in_body:
                self._in_body = False
            case _:
                _check_allowed(kind, found[0].decode(errors="replace"))
        if kind in ("rows", "created"):
            self._note_entry(TABLE_DATA if kind == "rows" else "TABLE", found["table"] or found["new"])
        return found.end()

    def _note_entry(self, kind: str, name: bytes) -> None:
        number = len(self._entries) + 1
        self._entries.append(Entry(number, _TABLE_CLASS, number, kind, name.decode(errors="replace")))

    def _inside(self, text: bytes, position: int) -> int:
        """The position after what is open, or the end of the text."""
        match self._state:
            case "rows":
                return self._in_rows(text, position)
            case "block":
                return self._in_block(text, position)
            case "dollar":
                end = text.find(self._tag, position)
                closed = None if end < 0 else end + len(self._tag)
            case "name":
                end = text.find(b'"', position)
                closed = None if end < 0 else end + 1
            case state:
                closed = _end_of_string(text, position, _ESCAPED if state == "escaped" else _UNESCAPED)
        if closed is None:
            return len(text)
        self._state = "sql"
        return closed

    def _in_rows(self, text: bytes, position: int) -> int:
        last = _LAST_ROW.search(text, position)
        end = len(text) if last is None else last.start()
        if b"\\" in text[position:end]:
            odd = _ODD_ROWS.search(text[position:end].replace(b"\\\\", b""))
            if odd is not None:
                _check_allowed("command", odd.string[odd.start() : odd.start() + 20].decode(errors="replace"))
        if last is None:
            return end
        self._state = "sql"
        return last.end()

    def _in_block(self, text: bytes, position: int) -> int:
        while found := _BLOCK.search(text, position):
            position = found.end()
            self._depth += 1 if found[0] == b"/*" else -1
            if self._depth == 0:
                self._state = "sql"
                return position
        return len(text)

    def _note_version(self, line: str) -> None:
        version = line.rpartition("version ")[2]
        if line.startswith("-- Dumped from"):
            self._origin = replace(self._origin, server_version=self._origin.server_version or version)
        else:
            self._origin = replace(self._origin, client_version=self._origin.client_version or version)


def _is_escaped(text: bytes, quote: int) -> bool:
    before = text[max(0, quote - 2) : quote]
    return before[-1:] in (b"E", b"e") and not (before[:1].isalnum() and len(before) > 1)


def _end_of_string(text: bytes, position: int, pattern: re.Pattern[bytes]) -> int | None:
    for found in pattern.finditer(text, position):
        if found[0] == b"'":
            return found.end()
    return None


def _check_allowed(kind: str, what: str) -> None:
    """Raise `InvalidInput` for what pg_dump does not write, or what cannot be restored to another database."""
    if kind == "command" and what.startswith(("\\connect", "\\c ")):
        raise InvalidInput(
            f"the script changes to another database ({what}): it would not end up where it is restored to",
            hint="It was made with pg_dump --create. Take out the lines CREATE DATABASE and \\connect.",
        )
    if kind in ("end", "finish"):
        raise InvalidInput(f"the script ends transactions by itself ({what})", hint=_TRUST)
    if kind == "strings":
        raise InvalidInput("the script turns standard_conforming_strings off", hint=_TRUST)
    if kind == "command":
        raise InvalidInput(f"the script holds a command for psql that pg_dump does not write: {what}", hint=_TRUST)
