"""A Dockerfile as its instructions, and what `.dockerignore` lets into the build. As much of both as ours use."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `COPY` with its options in `options`, and the rest of the line."""

    name: str
    value: str
    options: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """The value as words: of the JSON form its items, else as a shell would split it."""
        if self.value.startswith("["):
            found: list[str] = json.loads(self.value)
            return found
        return shlex.split(self.value)

    @property
    def pairs(self) -> dict[str, str]:
        """What `ENV`, `ARG` and `LABEL` set; an `ARG` without a default is not among them."""
        return dict(word.split("=", 1) for word in self.words if "=" in word)


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile in order."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [_instruction(line) for line in joined.splitlines()]


def _instruction(line: str) -> Instruction:
    name, _, rest = line.strip().partition(" ")
    options = {}
    rest = rest.strip()
    if name == "HEALTHCHECK" and " CMD " in rest:
        before, _, rest = rest.partition(" CMD ")
        options = dict(word.removeprefix("--").split("=", 1) for word in before.split())
    while found := re.match(r"--([\w-]+)=(\S+)\s+", rest):
        options[found[1]] = found[2]
        rest = rest[found.end() :]
    return Instruction(name.upper(), rest, options)


def stages(instructions: Sequence[Instruction]) -> Iterator[tuple[str, str, list[Instruction]]]:
    """The name, the base and the instructions of each stage. An `ARG` before the first one is a default for bases."""
    before = [index for index, one in enumerate(instructions) if one.name == "FROM"]
    defaults = {key: value for one in instructions[: before[0]] for key, value in one.pairs.items()}
    for number, (first, after) in enumerate(zip(before, [*before[1:], len(instructions)], strict=True)):
        base, *alias = instructions[first].words
        name = alias[1] if alias else str(number)
        yield name, substituted(base, defaults), list(instructions[first + 1 : after])


def substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of its variables. Raises `KeyError` for one that nothing sets."""
    return _VARIABLE.sub(lambda found: values[found[1]], text)


def build_context(root: Path) -> set[str]:
    """The files below `root` that `.dockerignore` lets into the build; the last pattern that fits decides."""
    patterns = [line for line in (root / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    files = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return {name for name in files if _is_let_in(name, patterns)}


def _is_let_in(name: str, patterns: Sequence[str]) -> bool:
    parts = name.split("/")
    prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    let_in = True
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if any(_fits(prefix, bare) for prefix in prefixes):
            let_in = pattern.startswith("!")
    return let_in


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatchcase(part, pattern[3:]) for part in path.split("/"))
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)
