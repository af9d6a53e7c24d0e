from __future__ import annotations

import pytest

from bridge.pump.pace import FIRST, Pace
from isotherm.log import Log

MOST = 1_000_000


def run(pace: Pace, rate: float, batches: int, *, fixed: float = 0.005) -> float:
    """Send as much as the pace allows over a line of `rate` bytes/s; how long, in all, it took."""
    total = 0.0
    for _ in range(batches):
        weight = pace.limit
        seconds = fixed + weight / rate
        if seconds > 10:
            pace.too_slow(weight)
            total += 10
        else:
            pace.took(weight, seconds)
            total += seconds
    return total


@pytest.mark.parametrize("rate", (1_000, 15_000, 200_000))
def test_a_slow_line_gets_batches_that_it_takes_in_time(rate: int) -> None:
    pace = Pace(Log("test"), MOST)
    # Found within a few tries, and kept.
    run(pace, rate, 12)
    before = pace.limit
    assert 0.3 < before / rate < 3
    took = run(pace, rate, 100)
    assert took < 350
    assert 0.3 < pace.limit / rate < 3


def test_it_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "isotherm.test")
    pace = Pace(Log("test"), MOST)
    run(pace, 1e9, 10)
    assert pace.limit == MOST
    run(pace, 15_000, 50)
    run(pace, 1e9, 20)
    assert pace.limit == MOST
    assert [record.getMessage() for record in caplog.records] == ["kafka slow", "kafka fast again"]


def test_an_outage_is_no_slow_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "isotherm.test")
    pace = Pace(Log("test"), MOST)
    pace.too_slow(MOST)
    pace.took(pace.limit, 600)
    run(pace, 1e9, 20)
    assert pace.limit == MOST
    assert caplog.records == []


def test_a_long_way_is_no_slow_line() -> None:
    pace = Pace(Log("test"), MOST)
    # 4 s for each batch, whatever is in it: a smaller one would only make it worse.
    for fixed in (4.0, 2.0):
        run(pace, 1e9, 60, fixed=fixed)
        assert pace.limit == MOST


def test_small_batches_that_are_quick_say_nothing_about_large_ones() -> None:
    pace = Pace(Log("test"), MOST)
    run(pace, 15_000, 20)
    before = pace.limit
    for _ in range(1000):
        pace.took(before // 20, 0.05)
    assert pace.limit == before


def test_it_begins_small_and_is_soon_large() -> None:
    pace = Pace(Log("test"), 24 * MOST)
    assert pace.limit == FIRST
    assert run(pace, 100e6, 8) < 1
    assert pace.limit == 24 * MOST


def test_one_message_is_the_least() -> None:
    pace = Pace(Log("test"), MOST)
    for _ in range(100):
        pace.too_slow(1)
    assert pace.limit == 1


def test_a_batch_without_messages_says_nothing_of_a_size() -> None:
    pace = Pace(Log("test"), MOST)
    pace.too_slow(0)
    pace.took(0, 30.0)
    assert pace.limit == FIRST
