"""The demonstration works in a corner of its own and empties nothing else."""

from pathlib import Path

import pytest

from pgproof.domain.errors import ConfigurationError, Conflict
from pgproof.entrypoints.demo.contents import TableContent, differing
from pgproof.entrypoints.demo.corner import MARKER, empty_corner


def test_the_corner_is_made_and_emptied_at_each_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with empty_corner(home) as corner:
        assert corner == home / "demo"
        (corner / "backups").mkdir()
        (corner / "backups" / "old").touch()
        (corner / "link").symlink_to(tmp_path)
    with empty_corner(home) as corner:
        assert [path.name for path in corner.iterdir()] == [MARKER]
    assert tmp_path.exists()


def test_a_folder_without_our_marker_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "precious").touch()
    with pytest.raises(ConfigurationError, match="is not a demonstration's"), empty_corner(tmp_path):
        pytest.fail("it was taken")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["precious"]


def test_two_demonstrations_do_not_share_a_corner(tmp_path: Path) -> None:
    with empty_corner(tmp_path) as corner:
        (corner / "work").touch()
        with pytest.raises(Conflict, match="another demonstration runs"), empty_corner(tmp_path):
            pytest.fail("it was shared")
        assert (corner / "work").exists()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="unable to use"), empty_corner(tmp_path / "file"):
        pytest.fail("it was taken")


def test_a_comparison_sees_every_kind_of_difference() -> None:
    one, other = TableContent(1, "a" * 32), TableContent(1, "b" * 32)
    assert differing({"t": one}, {"t": one}) == []
    assert differing({"t": one}, {"t": other}) == ["t: expected 1 rows (aaaaaaaa), found 1 rows (bbbbbbbb)"]
    assert differing({"t": one}, {}) == ["t: expected 1 rows (aaaaaaaa), found no such table"]
    assert differing({}, {"t": TableContent(2, "c" * 32)}) == ["t: expected no such table, found 2 rows (cccccccc)"]
