"""Sessions that load a backup get memory that the server can spare."""

from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.tuning import ServerMemory, restore_settings

MIB = 1 << 20
GIB = 1 << 30


def work_mem(memory: ServerMemory, jobs: int) -> int:
    text = restore_settings(memory, jobs).get("maintenance_work_mem", "")
    return int(text.removesuffix("kB")) * 1024 if text else memory.maintenance_work_mem


def test_free_memory_of_our_own_machine_is_shared_by_the_jobs() -> None:
    assert work_mem(ServerMemory(128 * MIB, 64 * MIB, free=16 * GIB), jobs=4) == 512 * MIB


def test_of_a_distant_server_only_its_shared_buffers_tell_something() -> None:
    assert work_mem(ServerMemory(2 * GIB, 64 * MIB), jobs=2) == 512 * MIB
    assert work_mem(ServerMemory(128 * MIB, 64 * MIB), jobs=2) == 64 * MIB


def test_a_restore_can_be_repeated_so_its_commits_need_not_wait_for_the_disk() -> None:
    assert restore_settings(ServerMemory(128 * MIB, 64 * MIB), 1)["synchronous_commit"] == "off"


@given(st.integers(0, 1 << 45), st.integers(MIB, 1 << 42), st.none() | st.integers(0, 1 << 42), st.integers(1, 64))
def test_never_less_than_the_administrator_has_set_and_never_more_than_a_gibibyte_by_our_own_choice(
    buffers: int, present: int, free: int | None, jobs: int
) -> None:
    chosen = work_mem(ServerMemory(buffers, present, free), jobs)
    assert chosen >= present - 1024
    assert chosen <= max(present, GIB)
