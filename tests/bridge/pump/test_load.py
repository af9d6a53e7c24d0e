from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.positions import Positions, position
from bridge.mqtt.client import Arrivals
from bridge.mqtt.framing import Frame
from bridge.pump.load import Load, prepare, split, topics_of
from bridge.records import Record
from isotherm.contract.fast import judge_guid
from isotherm.contract.reasons import Reason, Rejection
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
    assert load.weight > sum(len(each.payload) for each in frames[1:])


def test_at_least_once_every_message_is_delivered_and_leaves_no_mark() -> None:
    frames = [frame(1, reading("a", 1), again=True)] * 2
    load = prepare(Arrivals(1, frames), None, list)
    assert len(load.readings) == 2
    assert (load.duplicates, load.suppressed, load.marks) == (2, 0, [])


payloads = st.sampled_from(
    [
        reading("a", 1),
        b"bad",
        b"",
        b"{}\n" * 3,
        reading("b", 2) + b"\n" + b"bad",
        b"\n".join([reading("c", 3)] * 3),
        b"{}\n" * 30,
    ]
)


@given(
    sent=st.lists(st.tuples(payloads, st.integers(0, 2), st.booleans()), min_size=2, max_size=20),
    weight=st.integers(0, 10_000),
    at_least_once=st.booleans(),
)
def test_a_load_in_two_is_the_same_load(
    sent: list[tuple[bytes, int, bool]], weight: int, *, at_least_once: bool
) -> None:
    """Each message is at QoS 0 (kind 0), new, or (kind 2) here from an earlier connection."""
    frames = [
        frame(0 if kind == 0 else mid, payload, again=kind == 2 or (again and kind == 1))
        for mid, (payload, kind, again) in enumerate(sent, 1)
    ]
    here = [f for f, (_payload, kind, _again) in zip(frames, sent, strict=True) if kind == 2]
    positions = None if at_least_once else Positions()
    prepare(Arrivals(1, here), positions, list)
    known = {f[:3] for f in here}
    whole = prepare(
        Arrivals(2, frames),
        positions,
        lambda new: [f for f in new if not (f.duplicate and f[:3] in known)],
        max_lines=20,
    )
    if len(whole.frames) < 2:
        return
    parts = split(whole, weight, max_lines=20)
    for name in Load._fields[1:]:
        if name != "stale":
            assert getattr(parts[0], name) + getattr(parts[1], name) == getattr(whole, name), name
    assert all(part.frames for part in parts)
    assert parts[0].weight <= weight or len(parts[0].frames) == 1
    # Nothing is acknowledged with a part that is not in it, or in one before.
    assert [f.mid for f in parts[0].frames if f.mid] == [
        mid for mid in parts[0].mids if mid not in {f.mid for f in here}
    ]
    for part in parts:
        again = prepare(Arrivals(2, part.frames), None, list, max_lines=20)
        assert (again.readings, again.letters) == (part.readings, part.letters)


def test_the_topic_of_a_reading_is_found_among_lines_too() -> None:
    one, two, three = reading("a", 1), reading("b", 2), reading("c", 3).replace(b",", b",\n")
    frames = [
        Frame(b"t/1", two + b"\r\n" + b"bad", 1, duplicate=False, retained=False),
        Frame(b"t/2", one, 2, duplicate=False, retained=False),
        Frame(b"t/3", three, 3, duplicate=False, retained=False),
    ]
    load = prepare(Arrivals(1, frames), None, list)
    assert len(load.readings) == 3
    assert topics_of(load.readings, [load]) == {one: b"t/2", two: b"t/1", three: b"t/3"}


@pytest.mark.parametrize("more", (b"", b"\n"))
def test_a_message_whose_judging_fails_is_set_aside_and_holds_up_no_other(
    more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(raw: bytes) -> str | Rejection:
        if b"bad" in raw:
            raise RecursionError
        return judge_guid(raw)

    monkeypatch.setattr("bridge.records.judge_guid", judge)
    one, two = reading("a", 1), reading("b", 2)
    frames = [frame(1, one), frame(2, two + b"\nbad" + more), frame(3, two)]
    load = prepare(Arrivals(1, frames), Positions(), list)
    assert load.readings == [Record(b"a", one), Record(b"b", two)]
    [(letter, topic)] = load.letters
    assert (letter.value, topic) == (frames[1].payload, TOPIC)
    assert letter.rejection.reason is Reason.UNCOUNTABLE
    assert load.mids == [1, 2, 3]


def test_what_could_not_be_made_ready_is_not_taken_for_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def judge(_: bytes) -> str:
        raise MemoryError

    positions = Positions()
    with monkeypatch.context() as patch:
        patch.setattr("bridge.records.judge_guid", judge)
        with pytest.raises(MemoryError):
            prepare(Arrivals(1, [frame(1, reading("a", 1))]), positions, list)
    load = prepare(Arrivals(2, [frame(1, reading("a", 1), again=True)]), positions, list)
    assert (len(load.readings), load.suppressed) == (1, 0)
