import io

from contract.log import Log, start_logging
from edge_agent.message import Fate, Message
from edge_agent.outbox import MemoryOutbox, packets


def _outbox(max_rows: int) -> tuple[MemoryOutbox, io.StringIO]:
    stream = io.StringIO()
    log: Log = start_logging("agent", stream=stream)
    return MemoryOutbox(max_rows=max_rows, log=log), stream


def _messages(*rows: int) -> list[Message]:
    return [Message(bytes([number]), readings=count) for number, count in enumerate(rows)]


def test_readings_are_packed_up_to_the_bound_and_none_is_lost() -> None:
    readings = [bytes([65 + number]) * number for number in range(1, 30)]
    found = list(packets(readings, most=64))
    assert b"\n".join(message.payload for message in found) == b"\n".join(readings)
    assert sum(message.readings for message in found) == len(readings)
    assert all(len(message.payload) <= 64 for message in found)
    assert len(found[0].payload) + 1 + len(readings[found[0].readings]) > 64


def test_a_reading_above_the_bound_goes_alone() -> None:
    assert [m.readings for m in packets([b"a", b"x" * 100, b"b"], most=10)] == [1, 1, 1]


def test_the_oldest_goes_first() -> None:
    outbox, _ = _outbox(100)
    first, second = _messages(1, 1)
    outbox.put([first, second])
    assert outbox.next() is first
    assert outbox.next() is second
    assert outbox.next() is None


def test_the_oldest_that_is_not_under_way_is_dropped_counted_and_told_once() -> None:
    outbox, stream = _outbox(10)
    first, second, third, fourth, fifth = _messages(4, 3, 3, 4, 1)
    outbox.put([first, second, third])
    assert outbox.next() is first
    outbox.put([fourth])
    outbox.put([fifth])
    assert (outbox.rows, outbox.dropped) == (9, 6)
    assert outbox.next() is fourth
    outbox.settle(first, Fate.DELIVERED, "")
    outbox.settle(fourth, Fate.DELIVERED, "")
    told = stream.getvalue().splitlines()
    assert len(told) == 2
    assert "the outbox is full" in told[0]
    assert "over" in told[1]
    assert "readings=6" in told[1]


def test_each_fate_is_counted_and_a_trouble_is_told_when_it_begins_and_ends() -> None:
    outbox, stream = _outbox(100)
    messages = _messages(1, 2, 3, 4)
    outbox.put(messages)
    for message in messages:
        outbox.next()
        fate = Fate.DELIVERED if message.readings == 4 else Fate.UNHEARD
        outbox.settle(message, fate, "")
    assert outbox.fates == {Fate.DELIVERED: 4, Fate.UNHEARD: 6, Fate.REFUSED: 0}
    assert outbox.rows == 0
    told = stream.getvalue().splitlines()
    assert len(told) == 2
    assert "readings=6" in told[1]
