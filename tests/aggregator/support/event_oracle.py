"""What a plain count in Python makes of an event window over a stream of batches."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.event_window import EventWindow
from aggregator.analytics.scopes import Sliding
from aggregator.ledger.ledger import Ledger
from aggregator.stream.workers.partial_sums import WITH_MOMENTS
from isotherm.contract import Reading
from isotherm.contract.event_time import format_event_time
from tests.aggregator.support.oracle import Oracle, analytics
from tests.aggregator.support.records import SECOND, assert_same, reading, tallied


class EventOracle:
    """Every reading that was new and neither too late nor ahead; the window is looked up in them.

    Args:
        sliding: the window.
    """

    def __init__(self, sliding: Sliding) -> None:
        self.sliding = sliding
        self.oracle = Oracle()
        self.kept: list[Reading] = []
        self.watermark: int | None = None
        self.too_late = 0
        self.ahead = 0

    def add(self, partitions: Iterable[Iterable[bytes]], at: int) -> None:
        known = len(self.oracle.readings)
        self.oracle.add(partitions)
        closed = self.end
        for new in self.oracle.readings[known:]:
            moment = new.event_time // 1000 * 1000
            if moment > at + self.sliding.future * SECOND:
                self.ahead += 1
            elif closed is not None and moment < closed:
                self.too_late += 1
            else:
                self.kept.append(new)
                reached = min(moment, at) - round(self.sliding.delay * SECOND)
                if self.watermark is None or reached > self.watermark:
                    self.watermark = reached

    @property
    def end(self) -> int | None:
        step = self.sliding.step * SECOND
        return None if self.watermark is None else self.watermark // step * step

    def readings(self) -> list[Reading]:
        """Those in the window."""
        if self.end is None:
            return []
        start = self.end - self.sliding.span * SECOND
        return [reading for reading in self.kept if start <= reading.event_time < self.end]

    def analytics(self) -> Analytics:
        return analytics(self.readings())


DAY = 1_700_000_000
"""Where these tests' seconds begin."""
SLIDING = Sliding(span=10, delay=2.0, future=5.0)
MEMORY = Path(":memory:")


def at(second: float) -> int:
    return DAY * SECOND + round(second * SECOND)


def made(second: float, guid: str = "a", state: str = "CA", *, seq: int | None = None) -> bytes:
    temperature = 50.0 + second % 97 / 7
    return reading(guid, state, temperature, seq=seq, event_time=at(second))


class Pair:
    """A ledger with an event window, and an oracle that gets the same batches."""

    def __init__(self, ledger: Ledger, sliding: Sliding = SLIDING) -> None:
        self.ledger = ledger
        self.oracle = EventOracle(sliding)
        self.ids = count()

    def add(self, *records: bytes, now: float = 1000.0, times: int = 1) -> None:
        self.partitions([list(records)], now=now, times=times)

    def partitions(self, batch: list[list[bytes]], *, now: float, times: int = 1) -> None:
        batch_id = next(self.ids)
        for _ in range(times):
            self.ledger.add("q", batch_id, tallied(*batch, schema=WITH_MOMENTS), at(now))
        self.oracle.add(batch, at(now))
        self.check()

    def check(self) -> None:
        found, window = self.ledger.event(), self.window()
        assert found is not None
        assert_same(found, self.oracle.analytics())
        assert (window.too_late, window.ahead) == (self.oracle.too_late, self.oracle.ahead)
        if self.oracle.end is not None:
            assert window.end == format_event_time(self.oracle.end)

    def window(self) -> EventWindow:
        found = self.ledger.event_window()
        assert found is not None
        return found

    def messages(self) -> int:
        found = self.ledger.event()
        assert found is not None
        return found.total_messages
