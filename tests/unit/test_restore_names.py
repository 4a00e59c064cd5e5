"""The databases that a swap makes have names that fit and differ."""

from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.restore import previous_name, shadow_name


def test_a_short_name_is_kept_whole() -> None:
    assert shadow_name("shop", 12) == "shop__pgproof_shadow_12"
    assert previous_name("shop", 12) == "shop__pgproof_previous_12"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=63), st.integers(1, 2**63 - 1))
def test_every_name_fits_63_bytes_and_says_what_it_is(name: str, restore_id: int) -> None:
    names = {shadow_name(name, restore_id), previous_name(name, restore_id)}
    assert len(names) == 2
    assert all(len(made.encode()) <= 63 for made in names)
    assert all(made.endswith(f"_{restore_id}") for made in names)
