import io
from itertools import count

import pytest

from edge_agent.mqtt.message import Fate, Message
from edge_agent.replay import lines
from edge_agent.replay.lines import LineReader
from edge_agent.replay.rate_limit import RateLimit
from edge_agent.replay.replay import SHOWN, Replay
from isotherm.log import start_logging


def _replay(
    text: bytes, *, batch: int = 1, rate: float | None = None, step: float = 0.0
) -> tuple[Replay, io.StringIO]:
    reader = LineReader(-1)
    reader.feed(text)
    reader.feed(b"")
    told = io.StringIO()
    ticks = count()
    replay = Replay(
        reader,
        pace=RateLimit(rate),
        batch=batch,
        log=start_logging("replay", stream=told),
        clock=lambda: next(ticks) * step,
    )
    return replay, told


def _all(replay: Replay) -> list[Message]:
    found = []
    while not replay.ended:
        message = replay.next()
        if message is not None:
            found.append(message)
    return found


def test_each_line_is_a_message_that_knows_its_number() -> None:
    replay, _ = _replay(b"a\n\nb\r\nc")
    assert [(m.payload, m.tag) for m in _all(replay)] == [(b"a", 1), (b"b", 3), (b"c", 4)]
    assert replay.taken == 3


def test_a_batch_is_one_payload_with_a_line_each() -> None:
    replay, _ = _replay(b"1\n2\n3\n4\n5\n", batch=2)
    found = [(m.payload, m.tag, m.readings) for m in _all(replay)]
    assert found == [(b"1\n2", 1, 2), (b"3\n4", 3, 2), (b"5", 5, 1)]


def test_a_batch_stays_within_64_kib_and_a_larger_line_goes_alone() -> None:
    replay, _ = _replay(b"\n".join([b"a" * 40_000, b"b" * 20_000, b"c" * 99_000, b"d"]), batch=10)
    assert [m.readings for m in _all(replay)] == [2, 1, 1]


@pytest.mark.parametrize("batch", (1, 3))
def test_the_rate_counts_lines_whatever_the_batch(batch: int) -> None:
    replay, _ = _replay(b"x\n" * 1_000, batch=batch, rate=10.0, step=0.05)
    for _ in range(200):
        replay.next()
    # 200 looks at the clock are 10 s.
    assert replay.taken == pytest.approx(100, abs=2)


def test_fates_are_counted_in_lines_and_the_first_refusals_are_shown() -> None:
    replay, told = _replay(b"x\n" * 100, batch=2)
    for number, message in enumerate(_all(replay)):
        fate = Fate.REFUSED if number >= 20 else Fate.UNHEARD if number else Fate.DELIVERED
        replay.settle(message, fate, "not authorized (0x87)" if fate is Fate.REFUSED else "")
    assert replay.fates == {Fate.DELIVERED: 2, Fate.UNHEARD: 38, Fate.REFUSED: 60}
    assert replay.acknowledged == 40
    shown = told.getvalue().splitlines()
    assert len(shown) == SHOWN + 1
    assert 'refused line=41 lines=2 reason="not authorized (0x87)"' in shown[0]


def test_a_line_beyond_all_bounds_is_refused_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 5)
    replay, told = _replay(b"ok\n" + b"x" * 9 + b"\nfine\n", batch=3)
    assert b"\n".join(message.payload for message in _all(replay)) == b"ok\nfine"
    assert (replay.taken, replay.fates[Fate.REFUSED]) == (3, 1)
    assert "line=2" in told.getvalue()


def test_a_stopped_replay_takes_no_more_lines() -> None:
    replay, _ = _replay(b"a\nb\n")
    replay.next()
    replay.stop()
    assert replay.next() is None
    assert replay.ended
    assert replay.taken == 1
