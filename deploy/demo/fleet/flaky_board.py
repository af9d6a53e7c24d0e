"""The demo's one board with a life of its own: it loses its network, and gets it back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from deploy.demo.fleet.fleet import BOARD, W1_ADDRESS, board_config
from deploy.demo.fleet.network import Proxy
from deploy.demo.fleet.one_wire import Bus
from deploy.demo.fleet.scenario import Happening, due
from deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.demo.pipeline import Pipeline


class Board:
    """An agent of its own, whose cable to the MQTT broker lasts as long as the context.

    Args:
        pipeline: to which it belongs.
        report: tells people what happens to it.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._report = report
        self._clock = clock
        port = urlsplit(pipeline.stack.mqtt).port or 0
        self._line = Proxy(lambda: port)
        self._bus = Bus(pipeline.data / "board/sys", W1_ADDRESS)
        self._begun: float | None = None
        self._seen = 0.0

    def __enter__(self) -> Self:
        self._line.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.__exit__()

    def start(self) -> None:
        """Start its agent."""
        folder = self._pipeline.data / "board"
        config = folder / "agent.toml"
        mqtt = f"mqtt://{LOOPBACK}:{self._line.port}"
        config.write_text(
            board_config(mqtt, folder / "outbox.db", folder / "sys"), encoding="utf-8"
        )
        self._pipeline.start_agent("run", "--config", str(config), name="board")

    def look(self) -> None:
        """Have happen what is due; the time of the plan begins with the first look."""
        if self._begun is None:
            self._begun = self._clock()
        before, self._seen = self._seen, self._clock() - self._begun
        for what in due(before, self._seen):
            if what is Happening.DISTURBED:
                self._bus.disturb()
            elif what is Happening.MENDED:
                self._bus.mend()
            elif what is Happening.UNPLUGGED:
                self._line.pull()
            else:
                self._line.heal()
            self._report(f"board {BOARD}: {what}")
