"""What an agent's journal comes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.aggregator.support.records import reading
from tests.faults.chaos.journal import Name, read_journals

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines(*facts: Sequence[object] | bytes) -> list[bytes]:
    return [fact if isinstance(fact, bytes) else json.dumps(fact).encode() for fact in facts]


def named(*rows: tuple[object, ...], what: str = "named") -> list[object]:
    return [what, rows]


ONE = (1, "g", "e1", 1, 60.5)
TWO = (2, "g", "e1", 2, 61.5)


def test_what_was_committed_must_arrive() -> None:
    made = read_journals([lines(["life", 1], named(ONE, TWO), named(ONE, TWO, what="kept"))])
    assert made.temperatures == {Name("g", "e1", 1): 60.5, Name("g", "e1", 2): 61.5}
    assert made.uncommitted == 0


def test_what_a_kill_found_uncommitted_need_not() -> None:
    made = read_journals(
        [lines(["life", 1], named(ONE, TWO), named(ONE, what="kept"), ["life", 2], ["end"])]
    )
    assert made.temperatures == {Name("g", "e1", 1): 60.5}
    assert made.uncommitted == 1


def test_at_an_orderly_end_everything_that_was_named_must() -> None:
    made = read_journals([lines(["life", 1], named(ONE, TWO), named(ONE, what="kept"), ["end"])])
    assert len(made.temperatures) == 2


def test_a_number_that_a_kill_left_free_is_given_to_another_reading() -> None:
    again = (2, "g", "e1", 2, 99.5)
    made = read_journals(
        [
            lines(
                *(["life", 1], named(ONE, TWO), named(ONE, what="kept")),
                *(["life", 2], named(again), named(again, what="kept"), ["end"]),
            )
        ]
    )
    assert made.temperatures[Name("g", "e1", 2)] == 99.5


def test_an_entry_that_moved_to_another_epoch_has_its_new_name_alone() -> None:
    moved = (2, "g", "e2", 1, 61.5)
    made = read_journals(
        [lines(["life", 1], named(ONE, TWO, what="kept"), named(moved, what="kept"), ["end"])]
    )
    assert made.temperatures == {Name("g", "e1", 1): 60.5, Name("g", "e2", 1): 61.5}


def test_each_line_of_each_message_was_sent_as_often_as_it_says() -> None:
    first, second = reading("g", seq=1), reading("g", seq=2)
    other = reading("h", seq=1)
    both = ["sent", b"\n".join([first, other]).decode()]
    made = read_journals([lines(["life", 1], both, ["sent", second.decode()], both, ["end"])])
    assert made.sent == {"g": [first, second, first], "h": [other, other]}
    assert made.sends == 5


def test_a_line_that_a_kill_cut_off_spoils_no_other() -> None:
    made = read_journals(
        [lines(["life", 1], b'["kept", [[1, "g', b"", ["life", 2], named(TWO, what="kept"))]
    )
    assert made.torn == 1
    assert made.temperatures == {Name("g", "e1", 2): 61.5}
