import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from aggregator.analytics.audit import Audit
from aggregator.analytics.scopes import SINCE_START, WINDOW
from aggregator.ledger.ledger import Ledger
from isotherm.contract.fields import MAX_SEQ
from tests.aggregator.support.oracle import Oracle
from tests.aggregator.support.records import EPOCH, assert_same, gap, reading, tallied

Partitions = list[list[bytes]]
OTHER = "00000000000000b2"


class Pair:
    """A ledger and an oracle that get the same batches."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.oracle = Oracle()
        self._ids = count()

    def add(self, *partitions: list[bytes], times: int = 1) -> None:
        batch_id = next(self._ids)
        for _ in range(times):
            self.ledger.add("q", batch_id, tallied(*partitions), batch_id * 1_000_000_000)
        self.oracle.add(partitions)

    def audit(self) -> Audit:
        """Of all since the start, after both were found to agree."""
        assert_same(self.ledger.analytics(), self.oracle.analytics())
        assert self.ledger.moved().total == self.oracle.moved()
        assert self.ledger.sequences() == self.oracle.sequences()
        found = self.ledger.counts(SINCE_START).audit()
        assert found == self.oracle.audit()
        return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    # DuckDB's name for no file: what is tested here is not the disk.
    with Ledger(Path(":memory:")) as ledger:
        yield Pair(ledger)


def readings(*seqs: int, temperature: float = 60.0, state: str = "CA") -> list[bytes]:
    return [reading("a", state, temperature + seq / 7, seq=seq) for seq in seqs]


def test_a_sequence_without_holes(pair: Pair) -> None:
    pair.add(readings(1, 2, 3))
    pair.add(readings(4))
    assert pair.audit() == Audit(expected=4, received=4, missing=0)


def test_what_came_before_the_first_is_missing(pair: Pair) -> None:
    pair.add(readings(4, 5))
    assert pair.audit() == Audit(expected=5, received=2, missing=3)


def test_a_duplicate_within_a_batch_counts_once(pair: Pair) -> None:
    pair.add(readings(1, 2, 2, 3, 1))
    assert pair.audit() == Audit(expected=3, received=3, missing=0, duplicated=2)


def test_a_batch_that_comes_again_under_another_name_adds_nothing(pair: Pair) -> None:
    pair.add(readings(1, 2, 3))
    pair.add(readings(1, 2, 3))
    assert pair.audit() == Audit(expected=3, received=3, missing=0, duplicated=3)
    assert pair.ledger.counts(WINDOW).audit() == Audit(expected=0, missing=0, duplicated=3)


def test_a_run_that_was_counted_in_part(pair: Pair) -> None:
    pair.add(readings(1, 2, 3))
    pair.add(readings(2, 3, 4, 5))
    assert pair.audit() == Audit(expected=5, received=5, missing=0, duplicated=2)


def test_a_hole_is_missing_until_it_is_filled(pair: Pair) -> None:
    pair.add(readings(1, 2))
    pair.add(readings(6, 7))
    assert pair.audit().missing == 3
    pair.add(readings(4, 8))
    assert pair.audit().missing == 2
    pair.add(readings(3, 5))
    assert pair.audit() == Audit(expected=8, received=8, missing=0)
    assert pair.ledger.counts(WINDOW).audit() == Audit(expected=0, received=2, missing=-2)


def test_live_and_backlog_in_turns(pair: Pair) -> None:
    pair.add(readings(101, 1, 102, 2, 103, 3))
    pair.add(readings(104, 3, 4, 105, 5), readings(106, 104))
    assert pair.audit() == Audit(expected=106, received=11, missing=95, duplicated=2)


def test_the_first_of_two_that_differ_stays(pair: Pair) -> None:
    pair.add(readings(1, temperature=10.0) + readings(1, temperature=90.0))
    pair.add(readings(1, temperature=70.0), readings(1, temperature=80.0, state="NV"))
    assert pair.audit().duplicated == 3
    assert pair.ledger.analytics().sensors_by_state == (("CA", 1),)


def test_one_sensor_in_several_partitions(pair: Pair) -> None:
    pair.add(readings(4, 5), readings(1, 2, 3))
    pair.add(readings(6), readings(6, 7))
    assert pair.audit() == Audit(expected=7, received=7, missing=0, duplicated=1)


def test_a_sensor_that_moves_takes_its_seqs_along(pair: Pair) -> None:
    pair.add(readings(1, 2))
    pair.add(readings(3, 4, state="NV"))
    pair.add(readings(2, 5, state="NV") + readings(4, 6))
    pair.add(readings(7, state="AK") + readings(8, 8))
    assert pair.audit() == Audit(expected=8, received=8, missing=0, duplicated=3)


def test_a_double_under_another_state_takes_nothing_away(pair: Pair) -> None:
    pair.add(readings(1, 2, state="NV"))
    pair.add(readings(2, state="AK"))
    assert pair.audit() == Audit(expected=2, received=2, missing=0, duplicated=1)
    assert pair.ledger.analytics().sensors_by_state == (("NV", 1),)


def test_epochs_are_counted_apart_and_what_has_none_not_at_all(pair: Pair) -> None:
    other = [reading("a", seq=seq, epoch=OTHER) for seq in (1, 3)]
    pair.add(readings(1, 2) + other + [reading("a"), reading("a")])
    pair.add([*other, reading("a")])
    assert pair.audit() == Audit(expected=5, received=4, missing=1, duplicated=2)
    assert pair.ledger.analytics().total_messages == 7


def test_a_gap_is_received_and_explains_what_is_missing(pair: Pair) -> None:
    pair.add(readings(1, 2, 6))
    pair.add([gap("a", first=3, last=5, count=3, seq=7)])
    assert pair.audit() == Audit(expected=7, received=4, gaps=1, missing=0, explained=3)
    assert pair.ledger.counts(WINDOW).audit() == Audit(
        expected=1, received=1, gaps=1, missing=-3, explained=3
    )


def test_a_gap_that_comes_twice_explains_once(pair: Pair) -> None:
    told = gap("a", first=1, last=9, count=5, seq=10)
    pair.add([told])
    pair.add([told, told])
    assert pair.audit() == Audit(
        expected=10, received=1, gaps=1, missing=4, explained=5, duplicated=2
    )


def test_what_a_gap_explains_and_has_come_all_the_same_hides_no_loss(pair: Pair) -> None:
    pair.add([*readings(1, 2, 4, 9), gap("a", first=3, last=5, count=3, seq=10)])
    assert pair.audit() == Audit(expected=10, received=5, gaps=1, missing=3, explained=2)
    pair.add(readings(3))
    assert pair.audit() == Audit(expected=10, received=6, gaps=1, missing=3, explained=1)


def test_passes_over_the_same_range_are_one_gap(pair: Pair) -> None:
    first = gap("a", first=1, last=9, count=4, seq=20)
    second = gap("a", first=2, last=10, count=3, seq=21)
    pair.add([first, second, *readings(1, 9, 10)])
    assert pair.audit() == Audit(expected=21, received=5, gaps=2, missing=9, explained=7)


def test_a_gap_of_an_epoch_of_which_nothing_came(pair: Pair) -> None:
    old = gap("a", first=3, last=5, count=3, seq=1).replace(
        f'"epoch":"{EPOCH}","first"'.encode(), f'"epoch":"{OTHER}","first"'.encode()
    )
    pair.add([old])
    assert pair.audit() == Audit(expected=6, received=1, gaps=1, missing=2, explained=3)
    pair.add([reading("a", seq=seq, epoch=OTHER) for seq in (1, 2)])
    assert pair.audit() == Audit(expected=6, received=3, gaps=1, missing=0, explained=3)
    pair.add([reading("a", seq=seq, epoch=OTHER) for seq in (6, 7)])
    assert pair.audit() == Audit(expected=8, received=5, gaps=1, missing=0, explained=3)


def test_the_largest_seq(pair: Pair) -> None:
    top = MAX_SEQ
    pair.add(readings(1), [reading("b", seq=top), reading("c", seq=top - 1)])
    pair.add([reading("c", seq=top)])
    pair.add([gap("b", first=2, last=top - 1, count=top - 2, seq=1)])
    found = pair.ledger.counts(SINCE_START).audit()
    assert (found.expected, found.received) == (2 * top + 1, 5)
    assert found.missing == top - 2
    pair.add([reading("b", seq=top)])
    assert pair.ledger.counts(SINCE_START).audit().duplicated == 1


def test_gaps_of_more_readings_than_64_bits_count_to() -> None:
    guids = [f"g{number}" for number in range(1_100)]
    gaps = [gap(guid, first=1, last=MAX_SEQ, count=MAX_SEQ, seq=1) for guid in guids]
    # Each comes twice, so that what was told again is as much.
    came = tallied(gaps, gaps)
    total = len(guids) * MAX_SEQ
    assert total > 2**63
    # The oracle writes every seq out.
    with Ledger(Path(":memory:")) as ledger:
        ledger.add("q", 0, came, 0)
        found = ledger.counts(SINCE_START).audit()
    # A gap's own place, 1, was received, so it explains one less.
    assert (found.expected, found.explained) == (total, total - len(guids))
    assert (found.received, found.duplicated) == (len(guids), len(guids))
    alone = came.audit
    assert (alone.explained, alone.gaps, alone.duplicated) == (total, len(guids), len(guids))


def stream(draw: random.Random) -> Iterator[Partitions]:
    """Batches of few sensors: runs, holes, doubles, backlogs, moves, gaps, several epochs."""
    ahead: dict[tuple[str, str], int] = {}
    for _ in range(draw.randint(2, 8)):
        partitions: Partitions = [[] for _ in range(draw.randint(1, 3))]
        for _ in range(draw.randint(0, 12)):
            guid, epoch = draw.choice("abcd"), draw.choice((EPOCH, OTHER))
            at = ahead.get((guid, epoch), 0) + draw.choice((0, 0, 0, 1, 3))
            first = draw.randint(1, at + 1) if draw.random() < 0.3 else at + 1
            seqs = list(range(first, first + draw.randint(1, 6)))
            if draw.random() < 0.2:
                draw.shuffle(seqs)
            ahead[guid, epoch] = max(ahead.get((guid, epoch), 0), *seqs)
            partitions[draw.randrange(len(partitions))] += _records(draw, guid, epoch, seqs)
        yield partitions


def _records(draw: random.Random, guid: str, epoch: str, seqs: list[int]) -> Iterator[bytes]:
    state = "NV" if draw.random() < 0.15 else "CA"
    for seq in seqs:
        chance = draw.random()
        if chance < 0.1:
            first = draw.randint(1, seq + 1)
            last = first + draw.randint(0, 4)
            lost = draw.randint(1, last - first + 1)
            yield gap(guid, first=first, last=last, count=lost, seq=seq)
        else:
            known = None if chance > 0.9 else seq
            yield reading(guid, state, draw.uniform(-150, 310), seq=known, epoch=epoch)


def check(draw: random.Random, path: Path) -> None:
    with Ledger(path) as ledger:
        pair = Pair(ledger)
        windows = Audit(expected=0, missing=0)
        for partitions in stream(draw):
            pair.add(*partitions, times=draw.choice((1, 1, 2)))
            found = pair.audit()
            window = ledger.counts(WINDOW).audit()
            windows = Audit(
                **{name: getattr(windows, name) + getattr(window, name) for name in Audit.__slots__}
            )
            assert windows == found


def test_a_stream_comes_to_what_a_plain_count_makes_of_it(tmp_path: Path) -> None:
    check(random.Random(1), tmp_path / "l.duckdb")


@pytest.mark.faults
def test_many_streams_come_to_what_a_plain_count_makes_of_them(tmp_path: Path) -> None:
    for seed in range(500):
        check(random.Random(f"many {seed}"), tmp_path / f"{seed}.duckdb")
