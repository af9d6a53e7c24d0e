from __future__ import annotations

from bridge.kafka.positions import Positions
from bridge.mqtt.client import Arrivals
from bridge.mqtt.framing import Frame
from bridge.pump.backlog import Backlog
from bridge.pump.load import Load, prepare
from tests.bridge.readings import reading


def frame(mid: int, *, again: bool = False) -> Frame:
    return Frame(b"t", reading("a", mid or 1), mid, again, retained=False)


def arrive(waiting: Backlog, arrivals: Arrivals, positions: Positions | None = None) -> None:
    waiting.connected(arrivals.connection)
    waiting.add(1.0, prepare(arrivals, positions, waiting.admit))


def rest(waiting: Backlog) -> list[Load]:
    found = []
    while len(waiting):
        found += waiting.take()
    return found


def test_a_hundred_connections_leave_no_more_than_two() -> None:
    for positions in (None, Positions()):
        waiting = Backlog()
        for connection in range(1, 101):
            for mid in range(1, 21):
                again = frame(mid, again=connection > 1)
                arrive(waiting, Arrivals(connection, [again]), positions)
        found = rest(waiting)
        assert len(found) == 20 + 1 + 20
        assert sum(len(load.frames) for load in found) == 20
        assert sum(load.messages for load in found) == 2000
        # Those that are to be written still know what to acknowledge, should it be asked for.
        assert sum(load.stale + len(load.mids) for load in found) == 2000


def test_what_is_being_delivered_is_here_too() -> None:
    waiting = Backlog()
    arrive(waiting, Arrivals(1, [frame(1), frame(2)]))
    [load] = waiting.take()
    assert len(load.frames) == 2
    arrive(waiting, Arrivals(2, [frame(1, again=True), frame(2, again=True), frame(3)]))
    [load] = waiting.take()
    assert [each.mid for each in load.frames] == [3]
    assert load.mids == [1, 2, 3]


def test_the_same_packet_identifier_with_another_payload_is_another_message() -> None:
    waiting = Backlog()
    arrive(waiting, Arrivals(1, [frame(1)]))
    other = frame(2, again=True)._replace(mid=1)
    arrive(waiting, Arrivals(2, [other]))
    assert [each.payload for load in rest(waiting) for each in load.frames] == [
        reading("a", 1),
        reading("a", 2),
    ]


def test_a_redelivery_over_the_same_connection_as_the_first_is_no_proof() -> None:
    waiting = Backlog()
    arrive(waiting, Arrivals(1, [frame(1)]))
    arrive(waiting, Arrivals(1, [frame(1, again=True)]))
    assert sum(len(load.frames) for load in rest(waiting)) == 2


def test_a_proof_stays_where_it_is() -> None:
    waiting = Backlog()
    arrive(waiting, Arrivals(1, [frame(1)]))
    before = waiting.proof
    arrive(waiting, Arrivals(0, []))
    assert (before, waiting.proof) == (False, True)
    arrive(waiting, Arrivals(2, [frame(1, again=True)]))
    arrive(waiting, Arrivals(3, [frame(1, again=True)]))
    assert [load.proof for load in rest(waiting)] == [False, False, True, False]
