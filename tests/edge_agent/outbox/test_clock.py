"""Readings whose time is not known yet, and clocks that step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox.clock import SystemClock, boot_id
from edge_agent.sampling.sample import Sample
from isotherm.contract.event_time import parse_event_time
from tests.edge_agent.support.outbox_bench import NS, START, Bench, FakeClock, seqs

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DAY = 86_400 * NS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def _times(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """(event time in seconds since START, clock) of each."""
    return [
        ((parse_event_time(r["eventTime"]) - START) // NS, r["origin"]["clock"]) for r in records
    ]


def test_readings_wait_for_the_clock_and_get_their_time_corrected(path: Path) -> None:
    clock = FakeClock(synced=False, wall=START - DAY)
    bench = Bench(path, clock)
    for _ in range(3):
        bench.put("a")
        bench.commit()
    assert bench.take() == []
    # A time server is heard: the clock steps by a day, and is in sync.
    clock.now += DAY
    clock.synced = True
    bench.put("a")
    found = bench.drain()
    assert sorted(_times(found)) == [(n, "corrected") for n in (0, 1, 2)] + [(3, "synced")]
    assert sum("not in sync: readings wait" in line for line in bench.lines) == 2
    bench.close()


def test_after_the_wait_they_go_out_as_unsynced_and_later_ones_wait_no_more(path: Path) -> None:
    clock = FakeClock(synced=False)
    bench = Bench(path, clock, wait=10)
    bench.put("a")
    bench.commit()
    assert bench.take() == []
    bench.pass_by(10)
    bench.put("a")
    bench.commit()
    assert sorted(_times(bench.take())) == [(0, "unsynced"), (11, "unsynced")]
    bench.settle()
    clock.synced = True
    bench.put("a")
    bench.commit()
    assert _times(bench.take()) == [(12, "synced")]
    bench.close()


def test_another_start_of_the_board_can_no_longer_correct_but_with_what_was_noted(
    path: Path,
) -> None:
    clock = FakeClock(synced=False, wall=START - DAY)
    bench = Bench(path, clock)
    bench.put("never")
    bench.commit()
    bench.close()
    clock = FakeClock(synced=False, wall=START - 2 * DAY, uptime=5 * NS)
    bench = Bench(path, clock, boot="b1" * 16)
    bench.put("noted")
    bench.commit()
    clock.now += 2 * DAY
    clock.synced = True
    bench.outbox.turn(bench.monotonic)
    bench.commit()
    bench.close()
    bench = Bench(path, FakeClock(synced=False, wall=START + DAY), boot="b2" * 16)
    found = {record["guid"]: _times([record])[0] for record in bench.drain(10)}
    assert found == {"never": (-86_400, "unsynced"), "noted": (0, "corrected")}
    bench.close()


def test_a_corrected_reading_has_one_time_however_often_it_is_sent(path: Path) -> None:
    clock = FakeClock(synced=False, wall=START - DAY)
    bench = Bench(path, clock)
    bench.put("a")
    bench.commit()
    clock.now, clock.synced = START + 1 * NS, True
    bench.commit()
    once = _times(bench.take())
    bench.kill()
    clock.now += 7 * NS
    bench = Bench(path, clock)
    bench.commit()
    assert _times(bench.take()) == once
    bench.close()


@pytest.mark.parametrize("step", (DAY, -DAY))
def test_a_step_by_hand_reorders_doubles_and_loses_nothing(path: Path, step: int) -> None:
    clock = FakeClock()
    bench = Bench(path, clock)
    found = []
    for tick in range(9):
        if tick == 3:
            # Setting the clock has the kernel say that it is no longer in sync.
            clock.now += step
            clock.synced = False
        if tick == 6:
            clock.now -= step
            clock.synced = True
        bench.put("a")
        bench.commit()
        found += bench.take()
        bench.settle()
    assert seqs(found) == list(range(1, 10))
    # The times are right all the same: what was noted before the step is known to be.
    times = _times(found)
    assert [seconds for seconds, _ in times] == list(range(9))
    assert [trust for _, trust in times] == ["synced"] * 3 + ["corrected"] * 3 + ["synced"] * 3
    bench.close()


@pytest.mark.parametrize("step", (DAY, -DAY))
def test_a_reading_taken_just_before_the_clock_came_into_sync_has_the_right_time(
    path: Path, step: int
) -> None:
    clock = FakeClock(synced=False, wall=START - step)
    bench = Bench(path, clock)
    sample = Sample("a", "CA", 59.7, clock.wall(), clock.uptime())
    clock.now += step
    clock.synced = True
    bench.outbox.put([sample])
    bench.commit()
    assert _times(bench.take()) == [(0, "synced")]
    bench.close()


def test_the_status_says_what_new_readings_will_say(path: Path) -> None:
    clock = FakeClock(synced=False)
    bench = Bench(path, clock)
    bench.put("a")
    said = [bench.outbox.trust]
    clock.synced = True
    bench.put("a")
    said.append(bench.outbox.trust)
    clock.synced = False
    bench.put("a")
    said.append(bench.outbox.trust)
    assert [trust.value for trust in said] == ["unsynced", "synced", "corrected"]
    bench.close()


def test_a_person_may_say_that_the_clock_is_right() -> None:
    assert SystemClock(trust=True).in_sync()


def test_without_the_kernels_word_the_file_of_timesyncd_counts(tmp_path: Path) -> None:
    file = tmp_path / "synchronized"
    clock = SystemClock(kernel=lambda: None, synchronized=file)
    assert not clock.in_sync()
    file.touch()
    assert clock.in_sync()


def test_this_boards_clocks_can_be_read() -> None:
    clock = SystemClock()
    assert clock.wall() > START
    assert 0 < clock.uptime() <= clock.uptime()


def test_a_boot_without_a_name_is_all_zeros(tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    assert boot_id(file) == "0" * 32
    file.write_text("5abbff99-529a-41f7-9e03-d7c70b145537\n")
    assert boot_id(file) == "5abbff99529a41f79e03d7c70b145537"
