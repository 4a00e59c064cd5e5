"""Every command with its arguments and options, as `--help` shows them."""

from collections.abc import Iterator
from typing import Any

import typer

from pgproof.entrypoints.cli.app import app

_HEAD = """# Every command and option

Generated from the commands themselves by `make reference`; what they do is told in [Commands](cli.md).
"""
_EVERYWHERE = {"--help", "--install-completion", "--show-completion", "--version"}


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *(_section(name, command) for name, command in commands(typer.main.get_command(app)))])


def commands(group: Any, path: str = "pgproof") -> Iterator[tuple[str, Any]]:
    """Every command by its whole name, in the order of `--help`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not _EVERYWHERE & set(one.opts)]
    shown = " ".join([name, *(_argument(one) for one in arguments)])
    lines = [f"## `{name}`", "", command.help.strip(), "", f"    {shown}", ""]
    if options:
        lines += ["| option | meaning |", "|---|---|", *(_row(command, one) for one in options)]
        lines.append("")
    return "\n".join(lines)


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return str(name if argument.required else f"[{name}]")


def _row(command: Any, option: Any) -> str:
    context = command.context_class(command, info_name="pgproof")
    names, meaning = option.get_help_record(context)
    # Defaults may be marked in a way that differs between versions of typer: `cli.md` tells them.
    return f"| `{_cell(names)}` | {_cell(meaning.partition('  [')[0])} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
