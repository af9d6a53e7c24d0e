import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.event_window import EventWindow
from aggregator.analytics.tally import Tally
from aggregator.ledger.ledger import Ledger
from aggregator.ledger.report import opened, problems, status
from aggregator.stream.workers.partial_sums import WITH_MOMENTS
from isotherm.contract.event_time import format_event_time
from tests.aggregator.support.event_oracle import MEMORY, SLIDING, EventOracle, Pair, at, made
from tests.aggregator.support.records import tallied


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Ledger(MEMORY, SLIDING) as ledger:
        yield Pair(ledger)


def test_a_ledger_without_the_window_has_none_of_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path) as ledger:
        ledger.add("q", 0, tallied([made(1)]), at(2))
        assert (ledger.event(), ledger.event_window()) == (None, None)
    with opened(path) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert not [name for (name,) in tables if name.startswith("event")]


def test_before_the_first_reading_there_is_no_window(pair: Pair) -> None:
    pair.add(b"bad")
    assert pair.ledger.event() == Analytics()
    assert pair.window() == EventWindow(
        start=None, end=None, watermark=None, too_late=0, ahead=0, exact_from=None
    )


def test_a_reading_is_in_the_window_from_its_close_until_the_span_has_passed(pair: Pair) -> None:
    pair.add(made(3.5))
    assert pair.messages() == 0
    pair.add(made(5.999999))
    assert pair.messages() == 0
    pair.add(made(6.0))
    assert pair.messages() == 1
    assert pair.window() == EventWindow(
        start=format_event_time(at(-6)),
        end=format_event_time(at(4)),
        watermark=format_event_time(at(4)),
        too_late=0,
        ahead=0,
        exact_from=None,
    )
    pair.add(made(15.5))
    assert pair.messages() == 3
    pair.add(made(16.0))
    assert pair.messages() == 2


def test_what_comes_out_of_order_is_in_it_and_what_comes_after_the_close_is_counted(
    pair: Pair,
) -> None:
    pair.add(made(6.9), made(4.1))
    pair.add(made(4.0))
    pair.add(made(3.999999), made(-50))
    assert (pair.window().too_late, pair.messages()) == (2, 0)
    pair.add(made(8.0))
    assert pair.messages() == 2


def test_nothing_of_a_batch_is_late_for_another_of_the_same_batch(pair: Pair) -> None:
    pair.add(made(100), made(1), made(95))
    assert (pair.window().too_late, pair.messages()) == (0, 1)


def test_one_fast_clock_does_not_close_the_window_over_the_others(pair: Pair) -> None:
    pair.add(made(1000.0), made(1004.9, "fast"))
    pair.add(made(998.1))
    assert pair.window().end == format_event_time(at(998))
    assert pair.window().too_late == 0
    pair.add(made(1010), now=1010)
    assert pair.messages() == 3


def test_what_is_further_ahead_than_the_setting_is_left_out_and_counted(pair: Pair) -> None:
    pair.add(made(10), made(1005.0), made(1005.1), made(2e9))
    assert pair.window().ahead == 2
    assert pair.window().end == format_event_time(at(998))


def test_the_first_and_the_last_time_that_an_event_time_can_say(pair: Pair) -> None:
    first = made(1).replace(format_event_time(at(1)).encode(), b"0001-01-01T00:00:00Z")
    last = made(1).replace(format_event_time(at(1)).encode(), b"9999-12-31T23:59:59.999999999Z")
    pair.ledger.add("q", 0, tallied([first], schema=WITH_MOMENTS), at(1))
    assert pair.window().start == "0001-01-01T00:00:00.000000Z"
    pair.ledger.add("q", 1, tallied([last, made(5)], schema=WITH_MOMENTS), at(5))
    assert (pair.window().ahead, pair.window().end) == (1, format_event_time(at(3)))


def test_a_duplicate_counts_once_and_by_the_time_of_the_first(pair: Pair) -> None:
    pair.add(made(1, seq=1), made(1, seq=1), made(2, seq=2))
    pair.add(made(9, seq=2), made(3, seq=3))
    pair.add(made(1), made(1))
    pair.add(made(8, seq=4))
    assert (pair.messages(), pair.window().too_late) == (5, 0)


def test_a_sensor_that_moves_counts_in_both_states_and_once_in_all(pair: Pair) -> None:
    pair.add(made(1, seq=1), made(2, "a", "NV", seq=2), made(2.5, "b", seq=1))
    pair.add(made(9, seq=3))
    found = pair.ledger.event()
    assert found is not None
    assert found.sensors_by_state == (("CA", 2), ("NV", 1))
    assert found.total_sensors == 2


def test_a_replayed_batch_changes_nothing(pair: Pair) -> None:
    pair.add(made(1), made(2))
    pair.add(made(9), made(0), times=3)
    assert pair.messages() == 3


def test_a_batch_that_breaks_off_leaves_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.add(made(1), made(2))
    whole = Ledger._write  # noqa: SLF001 the crash is within the transaction
    batch = tallied([made(15), made(0)], schema=WITH_MOMENTS)

    def crash(ledger: Ledger, query_id: str, batch_id: int, tally: Tally, at: int) -> None:
        whole(ledger, query_id, batch_id, tally, at)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            pair.ledger.add("q", 1, batch, at(1000))
    pair.check()
    pair.add(made(15), made(0))


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.duckdb", SLIDING) as ledger:
        pair = Pair(ledger)
        pair.add(made(1), made(5))
    with Ledger(tmp_path / "l.duckdb", replace(SLIDING, delay=4.0)) as ledger:
        pair.ledger = ledger
        pair.check()
        # The watermark does not go back.
        pair.add(made(2.9))
        assert pair.window().too_late == 1


def test_a_window_that_begins_later_says_from_when_it_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path) as ledger:
        ledger.add("q", 0, tallied([made(1), made(20.5)]), at(21))
        ledger.add("q", 1, tallied([made(2e9)]), at(21))
    with Ledger(path, SLIDING) as ledger:
        window = ledger.event_window()
        assert window is not None
        # One that came before may be up to `future` ahead of the last trigger.
        assert window.exact_from == format_event_time(at(27))
        ledger.add("q", 2, tallied([made(30)], schema=WITH_MOMENTS), at(30))
        assert ledger.event_window() == EventWindow(
            start=format_event_time(at(18)),
            end=format_event_time(at(28)),
            watermark=format_event_time(at(28)),
            too_late=0,
            ahead=0,
            exact_from=format_event_time(at(27)),
        )
        ledger.add("q", 3, tallied([made(39)], schema=WITH_MOMENTS), at(39))
        window = ledger.event_window()
        assert window is not None
        assert (window.start, window.exact_from) == (format_event_time(at(27)), None)


@pytest.mark.parametrize("pause", (True, False))
def test_what_was_kept_before_a_pause_or_with_another_span_is_not_shown(
    tmp_path: Path, *, pause: bool
) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path, SLIDING) as ledger:
        ledger.add("q", 0, tallied([made(1), made(5)], schema=WITH_MOMENTS), at(5))
    if pause:
        with Ledger(path) as ledger:
            ledger.add("q", 1, tallied([made(1), made(6)]), at(6))
    with Ledger(path, SLIDING if pause else replace(SLIDING, span=20)) as ledger:
        window = ledger.event_window()
        assert ledger.event() == Analytics()
        assert window is not None
        assert window.end == format_event_time(at(3))
        assert window.exact_from == format_event_time(at(7 if pause else 6))


def test_a_ledger_with_a_window_is_well_and_says_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path, SLIDING) as ledger:
        ledger.add("q", 0, tallied([made(1), made(9)], schema=WITH_MOMENTS), at(9))
        ledger.add("q", 1, tallied([made(1), made(2e9)], schema=WITH_MOMENTS), at(9))
    with opened(path) as connection:
        assert problems(connection) == []
        found = status(connection)
    assert found["event window"] == "10 s to 2023-11-14 22:13:27"
    assert (found["event too late"], found["event ahead"]) == (1, 1)


HARMS = {
    "UPDATE event_total SET readings = 0": "sums of the event window that cannot be",
    "UPDATE event_total SET bucket = '2000-01-01'": "buckets outside the event window",
    "UPDATE event_open SET bucket = '2000-01-01'": "buckets outside the event window",
    "DELETE FROM event_sensor": "states of the event window without their sensors",
    "UPDATE event_open SET readings = 3": "more readings in the event window than since the start",
    "UPDATE event_window SET batch_id = 7": "event windows that are of another batch",
}


def test_a_window_that_does_not_agree_with_itself_is_found(pair: Pair) -> None:
    pair.add(made(1), made(9))
    connection = pair.ledger._connection  # noqa: SLF001 harmed as a disk may do it
    assert problems(connection) == []
    for harm, what in HARMS.items():
        connection.begin()
        connection.execute(harm)
        assert [problem for problem in problems(connection) if what in problem]
        connection.rollback()


def test_a_ledger_that_is_filled_again_in_other_portions_has_the_whole_window() -> None:
    draw = random.Random(3)
    records = [made(draw.uniform(second, second + 8)) for second in range(60)]
    with Ledger(MEMORY, replace(SLIDING, held=True)) as ledger:
        # One partition was far ahead of the other.
        for number, portion in enumerate((records[30:50], records[:30], records[50:])):
            ledger.add("q", number, tallied(portion, schema=WITH_MOMENTS), at(1000))
        ledger.settle(9)
        oracle = EventOracle(SLIDING)
        oracle.add([records], at(1000))
        found, window = ledger.event(), ledger.event_window()
        assert found is not None
        assert window is not None
        if oracle.end is not None:
            assert window.end == format_event_time(oracle.end)
        assert window.too_late == 0


def test_sensors_beyond_the_ledgers_capacity_are_in_the_window_too() -> None:
    with Ledger(MEMORY, SLIDING, capacity=1) as ledger:
        pair = Pair(ledger)
        pair.add(made(3.5, guid="a"), made(3.5, guid="b", state="CA"), made(3.6, guid="c"))
        pair.add(made(3.7, guid="b", state="NV"), made(6.0, guid="a"))
        assert pair.messages() == 4
