"""Which tools are found, and which fit a server."""

from pathlib import Path

import pytest

from pgproof.adapters.postgres.finder import EMBEDDED, find_clients, pick
from pgproof.domain.database import ServerVersion
from pgproof.domain.errors import ClientMissing, ConfigurationError
from pgproof.services.ports import ClientTools


def client(version: str, origin: str = "system") -> ClientTools:
    return ClientTools(ServerVersion.parse(version), Path(f"/opt/{version}"), origin)


CLIENTS = [client("18.4", EMBEDDED), client("17.2"), client("16.14", EMBEDDED), client("16.3"), client("15.18")]


@pytest.mark.parametrize(
    ("server", "expected"),
    [("15.2", "15.18"), ("16.14", "16.3"), ("17.0", "17.2"), ("18.1", "18.4"), ("14.9", "15.18"), ("13.0", "15.18")],
)
def test_the_same_major_version_is_chosen_else_the_nearest_newer(server: str, expected: str) -> None:
    assert str(pick(CLIENTS, ServerVersion.parse(server)).version) == expected


def test_the_systems_tools_come_before_the_embedded_ones_of_the_same_major() -> None:
    assert pick(CLIENTS, ServerVersion.parse("16.0")).origin == "system"


def test_where_tls_is_needed_the_embedded_tools_are_passed_over() -> None:
    assert (
        str(pick([client("18.2"), client("16.14", EMBEDDED)], ServerVersion.parse("16.0"), tls=True).version) == "18.2"
    )
    with pytest.raises(ClientMissing, match="no TLS"):
        pick([client("18.4", EMBEDDED)], ServerVersion.parse("16.0"), tls=True)


def test_an_older_client_is_never_chosen() -> None:
    with pytest.raises(ClientMissing) as missing:
        pick([client("15.18")], ServerVersion.parse("16.1"))
    assert "15.18" in missing.value.detail
    assert "postgresql-client-16" in missing.value.hint


def test_an_archive_needs_tools_as_new_as_those_that_wrote_it() -> None:
    chosen = pick(CLIENTS, ServerVersion.parse("15.2"), at_least=ServerVersion.parse("17.0"))
    assert str(chosen.version) == "17.2"


def write_tool(folder: Path, name: str, answer: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)


def make_installation(folder: Path, answer: str) -> Path:
    for name in ("pg_dump", "pg_restore", "pg_dumpall"):
        write_tool(folder, name, answer)
    return folder


def test_the_configured_folder_replaces_the_search(tmp_path: Path) -> None:
    folder = make_installation(tmp_path / "mine", "echo 'pg_dump (PostgreSQL) 17.5 (Vendor 17.5-1)'")
    found = find_clients(str(folder), {"PATH": "/usr/bin"}, {})
    assert [(str(one.version), one.folder) for one in found] == [("17.5", folder)]


def test_a_configured_folder_without_the_tools_says_what_is_missing(tmp_path: Path) -> None:
    write_tool(tmp_path, "pg_dump", "echo 'pg_dump (PostgreSQL) 17.5'")
    with pytest.raises(ConfigurationError, match="no pg_restore and no pg_dumpall"):
        find_clients(str(tmp_path), {}, {})


# Whoever runs the tests may not be kept out of any folder, but nobody can enter one of this name.
FORBIDDEN = f"/{'x' * 300}"


def test_a_folder_on_the_path_that_cannot_be_entered_is_passed_over(tmp_path: Path) -> None:
    mine = make_installation(tmp_path / "mine", "echo 'pg_dump (PostgreSQL) 99.1'")
    found = find_clients(None, {"PATH": f"{FORBIDDEN}:{mine}"}, {})
    assert mine in [one.folder for one in found]


def test_a_configured_folder_that_cannot_be_entered_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="we find no pg_dump"):
        find_clients(FORBIDDEN, {}, {})


def test_a_configured_tool_that_does_not_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = make_installation(tmp_path / "broken", "exit 3")
    with pytest.raises(ConfigurationError, match="does not run"):
        find_clients(str(folder), {}, {})


def test_a_broken_installation_on_the_path_is_passed_over(tmp_path: Path) -> None:
    broken = make_installation(tmp_path / "broken", "exit 3")
    beta = make_installation(tmp_path / "beta", "echo 'pg_dump (PostgreSQL) 99beta2'")
    found = find_clients(None, {"PATH": f"{broken}:{beta}"}, {})
    assert beta in [one.folder for one in found]
    assert broken not in [one.folder for one in found]


def test_an_installation_reached_by_two_ways_is_listed_once(tmp_path: Path) -> None:
    real = make_installation(tmp_path / "real", "echo 'pg_dump (PostgreSQL) 99.1'")
    link = tmp_path / "link"
    link.symlink_to(real)
    found = find_clients(None, {"PATH": f"{real}:{link}"}, {})
    assert [one.folder for one in found if one.version.major == 99] == [real]
