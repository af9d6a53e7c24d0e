from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.analytics.audit import Audit
from aggregator.analytics.snapshot import Snapshot
from aggregator.dead_letters.writer import MemoryBox
from aggregator.errors import DeadLetterError
from aggregator.ledger.ledger import Ledger
from aggregator.stream.trigger import Triggers
from tests.aggregator.dead_letters.test_writer import Topic, writer
from tests.aggregator.support.records import assert_same, oracle, reading, summed

FIRST = [reading("a", temperature=60.1, seq=1), reading("b", "NV", seq=4), b"bad"]
SECOND = [reading("a", temperature=61.3, seq=2)]


class Kept:
    """A sink that keeps what it was given."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def emit(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def close(self) -> None:
        pass


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.duckdb") as opened:
        yield opened


class Ticks:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000_000
        return self.now


def test_window_and_since_start_come_from_the_same_batch(ledger: Ledger) -> None:
    sink = Kept()
    triggers = Triggers(
        scopes=("window", "since_start"), ledger=ledger, sinks=[sink], clock=Ticks()
    )
    triggers.batch("q", 0, lambda: summed(FIRST))
    triggers.batch("q", 1, lambda: summed(SECOND))
    first, second = sink.snapshots
    assert list(second.scopes) == ["window", "since_start"]
    assert_same(first.scopes["since_start"], first.scopes["window"])
    assert_same(second.scopes["window"], oracle(SECOND))
    assert_same(second.scopes["since_start"], oracle(FIRST + SECOND))
    assert (second.rejected, second.rejected_since_start) == ({}, {"not_json": 1})
    assert (first.audit.received, first.batch_id, second.batch_id) == (2, 0, 1)
    assert triggers.batches == 2


def test_windows_follow_each_other_without_gap() -> None:
    sink = Kept()
    triggers = Triggers(scopes=("window",), ledger=None, sinks=[sink], clock=Ticks())
    triggers.batch("q", 0, lambda: summed(FIRST))
    triggers.idle("q")
    triggers.batch("q", 1, lambda: summed(SECOND))
    first, second, third = sink.snapshots
    assert first.end == second.start
    assert second.end == third.start
    assert first.trigger_ms == 1000


def test_an_idle_trigger_keeps_the_totals(ledger: Ledger) -> None:
    sink = Kept()
    triggers = Triggers(
        scopes=("window", "since_start"), ledger=ledger, sinks=[sink], clock=Ticks()
    )
    triggers.batch("q", 0, lambda: summed(FIRST))
    triggers.idle("q")
    idle = sink.snapshots[-1]
    assert idle.idle
    assert (idle.batch_id, idle.scopes["window"].total_messages) == (0, 0)
    assert_same(idle.scopes["since_start"], oracle(FIRST))


def test_who_falls_silent_is_offline_though_nothing_comes_any_more(ledger: Ledger) -> None:
    sink = Kept()
    triggers = Triggers(
        scopes=("since_start",), ledger=ledger, sinks=[sink], clock=Ticks(), offline_after=3.0
    )
    triggers.batch("q", 0, lambda: summed(FIRST))
    for _ in range(4):
        triggers.idle("q")
    offline = [snapshot.offline.total for snapshot in sink.snapshots if snapshot.offline]
    assert offline == [0, 0, 0, 2, 2]


def test_all_triggers_together_come_to_what_holds_since_the_start(ledger: Ledger) -> None:
    sink = Kept()
    triggers = Triggers(scopes=("since_start",), ledger=ledger, sinks=[sink], clock=Ticks())
    triggers.batch("q", 0, lambda: summed(FIRST))
    triggers.batch("q", 1, lambda: summed([*SECOND, reading("b", "NV", seq=2)]))
    triggers.batch("q", 1, lambda: summed([*SECOND, reading("b", "NV", seq=2)]))
    first, second, again = (snapshot.audit for snapshot in sink.snapshots)
    assert first == Audit(expected=5, received=2, missing=3)
    assert second == again == Audit(expected=1, received=2, missing=-1)
    assert sink.snapshots[-1].audit_since_start == Audit(expected=6, received=4, missing=2)


def test_a_new_life_shows_the_totals_before_its_first_batch(ledger: Ledger) -> None:
    sink = Kept()
    for life in range(2):
        triggers = Triggers(scopes=("since_start",), ledger=ledger, sinks=[sink], clock=Ticks())
        if life == 0:
            triggers.batch("q", 0, lambda: summed(FIRST))
    triggers.idle("q")
    assert sink.snapshots[-1].batch_id == 0
    assert_same(sink.snapshots[-1].scopes["since_start"], oracle(FIRST))


def test_a_replayed_batch_gives_the_same_totals_again(ledger: Ledger) -> None:
    sink = Kept()
    triggers = Triggers(scopes=("since_start",), ledger=ledger, sinks=[sink], clock=Ticks())
    for _ in range(2):
        triggers.batch("q", 0, lambda: summed(FIRST))
    first, again = sink.snapshots
    assert first.scopes == again.scopes
    assert first.rejected_since_start == again.rejected_since_start


def test_a_batch_without_any_record_is_idle() -> None:
    sink = Kept()
    triggers = Triggers(scopes=("window",), ledger=None, sinks=[sink], clock=Ticks())
    triggers.batch("q", 0, lambda: summed([]))
    assert sink.snapshots[0].idle


def test_a_batch_of_only_bad_records_is_not_idle() -> None:
    sink = Kept()
    triggers = Triggers(scopes=("window",), ledger=None, sinks=[sink], clock=Ticks())
    triggers.batch("q", 0, lambda: summed([None]))
    assert not sink.snapshots[0].idle
    assert sink.snapshots[0].rejected == {"not_json": 1}


def test_letters_are_written_before_anything_is_counted(ledger: Ledger) -> None:
    box, sink = MemoryBox(), Kept()
    box.refuse = 1
    topic = Topic({0: [(1, b"k", b"bad"), (2, b"k", FIRST[0])]})
    triggers = Triggers(
        scopes=("since_start",),
        ledger=ledger,
        sinks=[sink],
        clock=Ticks(),
        letters=writer(box, topic),
    )
    with pytest.raises(DeadLetterError):
        triggers.batch("q", 0, topic.rows)
    assert (ledger.progress, sink.snapshots, triggers.batches) == (None, [], 0)
    triggers.batch("q", 0, topic.rows)
    (found,) = sink.snapshots
    assert (found.rejected, found.scopes["since_start"].total_messages) == ({"not_json": 1}, 1)
    assert len(box.records) == 1
