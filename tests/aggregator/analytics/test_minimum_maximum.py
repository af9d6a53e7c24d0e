"""The lowest and the highest temperature of a state, which nothing can be taken out of again."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from aggregator.analytics.snapshot import to_json
from aggregator.cli.history import query
from aggregator.ledger.ledger import Ledger
from aggregator.sinks.files import HistorySink
from aggregator.stream.workers.partial_sums import WITH_MOMENTS
from dashboard.feeds.incoming import problem
from dashboard.feeds.json_schema import compiled
from tests.aggregator.analytics.test_measures import ROOT, old_ledger
from tests.aggregator.support.event_oracle import MEMORY, SLIDING, at, made
from tests.aggregator.support.golden import EVENT_WINDOW, snapshot
from tests.aggregator.support.records import gap, reading, tallied

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.analytics.analytics import Analytics

MIN, MAX = "minimum_temperature_by_state", "maximum_temperature_by_state"
SINCE = "2023-11-14T22:14:22.000000Z"


def extremes(found: Analytics | None) -> dict[str, tuple[float, float]]:
    assert found is not None
    lowest, highest = dict(found.further[MIN]), dict(found.further[MAX])
    assert lowest.keys() == highest.keys()
    return {state: (low, highest[state]) for state, low in lowest.items()}


def test_of_a_trigger_all_that_arrived_counts() -> None:
    tally = tallied(
        [reading("a", "CA", 60.0, seq=1), reading("a", "CA", -150.0, seq=1), b"bad"],
        [reading("a", "CA", 61.0, seq=2), reading("b", "NV", 7.0), reading("é", "NV", 310.0)],
    )
    assert extremes(tally.analytics) == {"CA": (-150.0, 61.0), "NV": (7.0, 310.0)}


def test_since_the_start_a_duplicate_that_differs_does_not_count() -> None:
    with Ledger(MEMORY) as ledger:
        first = [reading("a", "CA", 60.0, seq=1), reading("a", "CA", -10.0, seq=1)]
        ledger.add("q", 0, tallied(first), 0)
        assert extremes(ledger.analytics()) == {"CA": (60.0, 60.0)}
        ledger.add("q", 1, tallied([reading("a", "CA", 99.0, seq=1)]), 0)
        # Under another state, and beside one that is new.
        moved = [reading("a", "NV", 1.0, seq=1), reading("a", "NV", 50.0, seq=2)]
        ledger.add("q", 2, tallied([*moved, gap("a", first=3, last=4, count=2, seq=5)]), 0)
        assert extremes(ledger.analytics()) == {"CA": (60.0, 60.0), "NV": (50.0, 50.0)}


def test_what_was_taken_back_leaves_no_trace() -> None:
    with Ledger(MEMORY) as ledger:
        ledger.add("q", 0, tallied([reading("a", "CA", 60.0, seq=1)]), 0)
        # A run under a new state that begins with doubles: counted first, and looked at again.
        doubles = [reading("a", "NV", -20.0, seq=1), reading("a", "NV", 70.0, seq=2)]
        ledger.add("q", 1, tallied(doubles), 0)
        assert extremes(ledger.analytics()) == {"CA": (60.0, 60.0), "NV": (70.0, 70.0)}
        assert not ledger.add("q", 2, tallied([reading("b", "CA", -1.0)]), 0, lambda: False)
        assert extremes(ledger.analytics())["CA"] == (60.0, 60.0)


def test_they_leave_the_event_window_with_their_bucket() -> None:
    with Ledger(MEMORY, SLIDING) as ledger:

        def add(batch: int, *readings: tuple[float, float]) -> None:
            records = [
                reading("a", "CA", degrees, seq=None, event_time=at(second))
                for second, degrees in readings
            ]
            ledger.add("q", batch, tallied(records, schema=WITH_MOMENTS), at(100))

        # The window is 10 s long, and 2 s behind the latest.
        add(0, (1, -40.0), (2, 120.0), (5, 50.0), (9, 55.0))
        assert extremes(ledger.event()) == {"CA": (-40.0, 120.0)}
        # Too late, and not there though it is the lowest.
        add(1, (3, -100.0), (13.5, 60.0))
        assert extremes(ledger.event()) == {"CA": (-40.0, 120.0)}
        add(2, (14.5, 61.0))
        assert extremes(ledger.event()) == {"CA": (50.0, 120.0)}
        add(3, (15, 62.0))
        assert extremes(ledger.event()) == {"CA": (50.0, 55.0)}
        assert extremes(ledger.analytics())["CA"] == (-100.0, 120.0)


def test_sensors_beyond_the_capacity_count() -> None:
    with Ledger(MEMORY, capacity=1) as ledger:
        ledger.add("q", 0, tallied([reading("a", "CA", 60.0)]), 0)
        ledger.add("q", 1, tallied([reading("b", "CA", 61.0), reading("c", "NV", 5.0)]), 0)
        ledger.add("q", 2, tallied([reading("b", "CA", -61.0), reading("c", "NV", 4.0)]), 0)
        assert extremes(ledger.analytics()) == {"CA": (-61.0, 61.0), "NV": (4.0, 5.0)}


@pytest.mark.parametrize("values", tuple(permutations((0.0, -0.0, -0.0))))
def test_zero_has_no_sign(values: tuple[float, ...]) -> None:
    with Ledger(MEMORY, capacity=2) as ledger:
        for batch, value in enumerate(values):
            records = [reading(guid, "CA", value) for guid in ("a", "b", "c")]
            found = tallied(records)
            assert "-0.0" not in json.dumps(found.analytics.further)
            ledger.add("q", batch, found, 0)
            assert "-0.0" not in json.dumps(ledger.analytics().further)


def test_a_ledger_of_before_says_from_when_on_and_only_what_it_knows(tmp_path: Path) -> None:
    with Ledger(old_ledger(tmp_path), SLIDING, capacity=3) as ledger:
        assert ledger.known_from() == {MIN: None, MAX: None}
        # Event time 1 to 6.5, and the window to 4: nothing is known of who is in it.
        assert extremes(ledger.analytics()) == extremes(ledger.event()) == {}

        def add(batch: int, second: float) -> None:
            records = [made(second, "a", seq=batch + 8), made(second, "z", "OH")]
            ledger.add("q", batch, tallied(records, schema=WITH_MOMENTS), at(60 + batch))

        add(2, 6.9)
        degrees = 50.0 + 6.9 / 7
        for batch in (3, 4):
            assert ledger.known_from() == {MIN: SINCE, MAX: SINCE}
            assert extremes(ledger.analytics())["CA"][0] == pytest.approx(degrees)
            add(batch, 9.5 + batch)
        # Bucket 6 has a reading of CA from before and one from now; OH came now.
        event = ledger.event()
        assert event is not None
        assert dict(event.average_temperature_by_state).keys() == {"AK", "CA", "NV", "OH", "TX"}
        assert extremes(event) == {"OH": (degrees, degrees)}
        add(5, 19.5)
        # The last bucket from before has left it.
        assert extremes(ledger.event()).keys() == {"CA", "OH"}
        assert extremes(ledger.analytics()).keys() == {"CA", "OH"}
    with Ledger(tmp_path / "ledger.duckdb", SLIDING, capacity=3) as ledger:
        assert ledger.known_from() == {MIN: SINCE, MAX: SINCE}


def test_history_has_them_and_null_for_snapshots_of_before(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    sink.emit(snapshot())
    sink.close()
    (file,) = (file for file in tmp_path.glob("*.jsonl") if file.stat().st_size)
    old: dict[str, Any] = json.loads(to_json(replace(snapshot(), batch_id=6)))
    del old["revision"], old["scopes"]["window"][MIN], old["scopes"]["window"][MAX]
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(old) + "\n")
    sql = "SELECT state, minimum, maximum FROM temperature ORDER BY state, minimum"
    with query(tmp_path, sql) as found:
        assert found.fetchall() == [
            ("FL", -4.0, 104.25),
            ("FL", None, None),
            ("HI", None, None),
            ("HI", None, None),
        ]


def test_readers_and_writers_of_before_and_of_now_understand_each_other() -> None:
    before = json.loads((ROOT / "tests/records/snapshot-1.0.schema.json").read_text("utf-8"))
    now = json.loads((ROOT / "isotherm/contract/schemas/snapshot.schema.json").read_text("utf-8"))
    full = replace(
        snapshot(since_start=True, event=EVENT_WINDOW), known_from={MIN: None, MAX: SINCE}
    )
    new: dict[str, Any] = json.loads(to_json(full))
    jsonschema.validate(new, now)
    # How a page of before checks what it is given.
    compiled(before)(new, "")
    old = {name: value for name, value in new.items() if name in before["properties"]}
    for scope in old["scopes"].values():
        del scope[MIN], scope[MAX]
    jsonschema.validate(old, before)
    jsonschema.validate(old, now)
    assert problem(old) is problem(new) is None
