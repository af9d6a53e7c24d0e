import math
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.analytics.approximate import Approximate, Uncertain
from aggregator.analytics.audit import Audit
from aggregator.analytics.scopes import SINCE_START, WINDOW
from aggregator.analytics.tally import Tally
from aggregator.ledger import hyperloglog as sketch
from aggregator.ledger.ledger import Ledger
from tests.aggregator.support.records import EPOCH, assert_same, gap, oracle, reading, tallied

MEMORY = Path(":memory:")
FIRST = [reading("a", "CA", 60.0, seq=1), reading("b", "NV", 50.0, seq=1)]
SECOND = [
    reading("a", "CA", 61.0, seq=2),
    reading("c", "NV", 70.0, seq=1),
    reading("d", "AK", 10.0, seq=1),
]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger(MEMORY, capacity=2) as opened:
        opened.add("q", 0, tallied(FIRST), 0)
        yield opened


def outside(
    *, held: int, messages: int, sensors: int, gaps: int = 0, **by_state: int
) -> Approximate:
    return Approximate(
        ledger_sensors=held,
        beyond=Uncertain(
            messages=messages,
            gaps=gaps,
            sensors=sensors,
            sensors_by_state=tuple(sorted(by_state.items())),
        ),
        relative_error=sketch.RELATIVE_ERROR,
        confidence=sketch.CONFIDENCE,
    )


def test_up_to_its_capacity_a_ledger_is_exact(ledger: Ledger) -> None:
    ledger.add("q", 1, tallied([reading("a", seq=2), reading("b", "NV", seq=2)] * 2), 0)
    assert ledger.approximate() is None
    assert ledger.counts(WINDOW).audit() == Audit(expected=2, received=2, missing=0, duplicated=2)


def test_what_comes_of_others_counts_in_all_four_analytics(ledger: Ledger) -> None:
    ledger.add("q", 1, tallied(SECOND), 0)
    assert_same(ledger.analytics(), oracle(FIRST + SECOND))
    assert ledger.approximate() == outside(held=2, messages=2, sensors=2, AK=1, NV=1)
    assert set(ledger.sequences()) == {("a", EPOCH), ("b", EPOCH)}
    assert ledger.counts(SINCE_START).audit() == Audit(expected=3, received=3, missing=0)


def test_duplicates_are_taken_out_of_those_within_and_stay_with_those_beyond(
    ledger: Ledger,
) -> None:
    for batch in (1, 2):
        ledger.add("q", batch, tallied(SECOND), 0)
    assert_same(ledger.analytics(), oracle(FIRST + SECOND + SECOND[1:]))
    assert ledger.approximate() == outside(held=2, messages=4, sensors=2, AK=1, NV=1)
    assert ledger.counts(SINCE_START).duplicated == 1


def test_one_batch_fills_the_room_in_the_order_of_its_rows() -> None:
    with Ledger(MEMORY, capacity=3) as ledger:
        ledger.add("q", 0, tallied([reading(f"s{n}", seq=1) for n in range(9)]), 0)
        assert ledger.approximate() == outside(held=3, messages=6, sensors=6, CA=6)
        assert [guid for guid, _ in ledger.sequences()] == ["s0", "s1", "s2"]


def test_a_replayed_batch_changes_nothing(ledger: Ledger) -> None:
    assert ledger.add("q", 1, tallied(SECOND), 0)
    before = ledger.approximate()
    assert not ledger.add("q", 1, tallied(SECOND), 0)
    assert ledger.approximate() == before
    assert_same(ledger.analytics(), oracle(FIRST + SECOND))


def test_a_batch_that_breaks_off_leaves_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Ledger._write  # noqa: SLF001 the crash is within the transaction

    def crash(ledger: Ledger, query_id: str, batch_id: int, tally: Tally, at: int) -> None:
        whole(ledger, query_id, batch_id, tally, at)
        assert ledger.approximate() is not None
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_write", crash)
        with pytest.raises(KeyboardInterrupt):
            ledger.add("q", 1, tallied(SECOND), 0)
    assert ledger.approximate() is None
    assert_same(ledger.analytics(), oracle(FIRST))
    assert ledger.add("q", 1, tallied(SECOND), 0)
    assert ledger.approximate() == outside(held=2, messages=2, sensors=2, AK=1, NV=1)


def test_sensors_of_the_ledger_may_move_and_begin_an_epoch(ledger: Ledger) -> None:
    moved = [reading("a", "NV", seq=2), reading("b", "NV", seq=1, epoch="00000000000000b2")]
    ledger.add("q", 1, tallied([*SECOND[1:], *moved]), 0)
    assert_same(ledger.analytics(), oracle(FIRST + SECOND[1:] + moved))
    assert ledger.moved().total == 1
    assert ledger.approximate() == outside(held=2, messages=2, sensors=2, AK=1, NV=1)


def test_a_sensor_beyond_in_two_states_counts_in_both_and_once_in_all(ledger: Ledger) -> None:
    ledger.add("q", 1, tallied([reading("c", "AK"), reading("c", "NV")]), 0)
    assert ledger.approximate() == outside(held=2, messages=2, sensors=1, AK=1, NV=1)
    assert ledger.analytics().total_sensors == 3
    assert ledger.moved().total == 0


def test_a_guid_of_which_only_gaps_have_come_has_its_place() -> None:
    with Ledger(MEMORY, capacity=2) as ledger:
        ledger.add("q", 0, tallied([gap("a", first=1, last=2, count=2, seq=3)]), 0)
        ledger.add("q", 1, tallied([reading("b", "NV"), reading("c", "NV")]), 0)
        ledger.add("q", 2, tallied([reading("a", seq=4)]), 0)
        assert ledger.approximate() == outside(held=2, messages=1, sensors=1, NV=1)
        assert ledger.sequences()["a", EPOCH] == (4, 2, 0, 2, 0)


def test_gaps_of_others_are_counted_and_make_no_sensor(ledger: Ledger) -> None:
    ledger.add("q", 1, tallied([gap("z", first=1, last=2, count=2, seq=3)]), 0)
    assert ledger.approximate() == outside(held=2, messages=0, sensors=0, gaps=1)
    assert_same(ledger.analytics(), oracle(FIRST))
    assert ledger.counts(SINCE_START).gaps == 0


def test_a_ledger_that_was_full_stays_closed_so_that_nobody_counts_twice(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path, capacity=2) as ledger:
        ledger.add("q", 0, tallied(FIRST + SECOND), 0)
    with Ledger(path, capacity=100) as ledger:
        ledger.add("q", 1, tallied([reading("c", "NV", seq=2), reading("e", "NV", seq=1)]), 0)
        assert ledger.analytics().total_sensors == 5
        assert ledger.approximate() == outside(held=2, messages=4, sensors=3, AK=1, NV=2)


def test_a_lower_capacity_takes_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path) as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
    with Ledger(path, capacity=1) as ledger:
        ledger.add("q", 1, tallied([*SECOND, reading("b", "NV", seq=2)]), 0)
        assert ledger.approximate() == outside(held=2, messages=2, sensors=2, AK=1, NV=1)
        assert ledger.counts(SINCE_START).received == 4


def test_event_times_and_the_last_arrival_are_of_all(ledger: Ledger) -> None:
    ledger.add("q", 1, tallied([reading("c", event_time=0)]), 5_000_000)
    times = ledger.event_time()
    assert times is not None
    assert times.min == "1970-01-01T00:00:00.000000Z"
    assert ledger.last_seen() == 5_000_000


def test_a_ledger_of_before_gets_its_table(tmp_path: Path) -> None:
    path = tmp_path / "l.duckdb"
    with Ledger(path) as ledger:
        ledger.add("q", 0, tallied(FIRST), 0)
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE beyond")
    with Ledger(path, capacity=2) as ledger:
        ledger.add("q", 1, tallied(SECOND), 0)
        assert ledger.approximate() == outside(held=2, messages=2, sensors=2, AK=1, NV=1)


def test_many_are_counted_within_the_bound() -> None:
    names = [f"0-ZZZ{number:08d}-08K" for number in range(4_000)]
    with Ledger(MEMORY, capacity=1_000) as ledger:
        for batch, some in enumerate((names[:2_000], names[1_000:3_000], names[2_000:])):
            ledger.add("q", batch, tallied([reading(guid) for guid in some]), 0)
        found = ledger.approximate()
        assert found is not None
        assert (found.ledger_sensors, found.beyond.messages) == (1_000, 5_000)
        assert math.isclose(found.beyond.sensors, 3_000, rel_tol=found.relative_error)
        assert ledger.analytics().total_sensors == 1_000 + found.beyond.sensors
        assert found.relative_error == sketch.RELATIVE_ERROR


guids = st.sampled_from([f"0-ZZZ{number:08d}-08K" for number in range(12)])
states = st.sampled_from(("CA", "NV", "AK"))
temperatures = st.integers(-50, 120)
batches = st.lists(
    st.lists(st.tuples(guids, states, temperatures), max_size=12), min_size=1, max_size=4
)


@settings(max_examples=6, deadline=None)
@given(batches, st.integers(1, 13))
def test_readings_without_origin_come_to_the_same_with_any_capacity(
    drawn: list[list[tuple[str, str, int]]], capacity: int
) -> None:
    every = []
    with Ledger(MEMORY, capacity=capacity) as ledger:
        for batch, rows in enumerate(drawn):
            records = [reading(guid, state, float(degrees)) for guid, state, degrees in rows]
            half = len(records) // 2
            ledger.add("q", batch, tallied(records[:half], records[half:]), 0)
            every += records
        # So few are told apart by their registers: the estimate is exact.
        assert_same(ledger.analytics(), oracle(every))
        distinct = len({guid for rows in drawn for guid, _, _ in rows})
        found = ledger.approximate()
        assert (found is None) == (distinct <= capacity)
