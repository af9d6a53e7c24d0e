from __future__ import annotations

from bridge.client import Arrivals
from bridge.frames import Frame
from bridge.load import prepare
from bridge.positions import Positions, position
from bridge.records import Record
from tests.bridge.readings import reading

TOPIC = b"isotherm/v1/readings/07/pi"


def frame(mid: int, payload: bytes, *, again: bool = False) -> Frame:
    return Frame(TOPIC, payload, mid, duplicate=again, retained=False)


def test_a_load_holds_readings_and_dead_letters_in_order_and_counts_what_it_leaves_out() -> None:
    positions = Positions()
    prepare(Arrivals(1, [frame(1, b"known")]), positions, list)
    one, two = reading("a", 1), reading("b", 2)
    frames = [frame(1, b"known", again=True), frame(2, one + b"\n" + b"bad"), frame(3, two)]
    load = prepare(Arrivals(2, frames), positions, list)
    assert load.readings == [Record(b"a", one), Record(b"b", two)]
    assert [(letter.value, topic) for letter, topic in load.letters] == [(b"bad", TOPIC)]
    assert (load.duplicates, load.suppressed) == (1, 1)
    assert load.marks == [position(TOPIC, each.payload, each.mid) for each in frames[1:]]
    assert (load.messages, load.mids) == (3, [1, 2, 3])
    assert load.frames == frames[1:]
    assert load.size == sum(len(each.payload) for each in frames[1:])


def test_at_least_once_every_message_is_delivered_and_leaves_no_mark() -> None:
    frames = [frame(1, reading("a", 1), again=True)] * 2
    load = prepare(Arrivals(1, frames), None, list)
    assert len(load.readings) == 2
    assert (load.duplicates, load.suppressed, load.marks) == (2, 0, [])
