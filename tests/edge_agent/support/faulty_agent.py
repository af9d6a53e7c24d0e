"""`isotherm-agent` with one fault of its surroundings, as a program of its own.

    python -m tests.edge_agent.support.faulty_agent kill POINT COUNT run --config agent.toml
    python -m tests.edge_agent.support.faulty_agent clock SECONDS run --config agent.toml

The agent is the real one from its command line on; it knows of none of this.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from edge_agent.cli.main import main
from edge_agent.mqtt.transport import Transport
from edge_agent.outbox import clock
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

NS: Final = 1_000_000_000
DAY: Final = 86_400 * NS
STEPS: Final = (-DAY, 0, DAY, 0)
"""By how much the system clock is wrong, one after another; where it is right, it is in sync."""
POINTS: Final[dict[str, tuple[type, str, Callable[[Any, Any], bool]]]] = {
    # Named, and in memory only.
    "sample": (Outbox, "put", lambda _, samples: bool(samples)),
    # On disk, and nobody knows yet.
    "commit": (Database, "apply", lambda _, batch: bool(batch.entries)),
    # With the kernel, and not acknowledged.
    "publish": (Transport, "push", lambda sent, data: sent > 0 and b"eventTime" in data),
    # Acknowledged, and on disk all the same.
    "puback": (Outbox, "settle", lambda *_: True),
    # Gone from the disk, and nobody knows yet.
    "delete": (Database, "apply", lambda _, batch: bool(batch.gone)),
}
"""What is wrapped for each point, and whether a call (its result and first argument) gets there."""


def kill_at(point: str, count: int) -> None:
    """End this process as `kill -9` does, right after it got to a point so many times."""
    owner, name, arrives = POINTS[point]
    method = getattr(owner, name)
    arrivals = itertools.count(1)

    @functools.wraps(method)
    def call(self: Any, first: Any, *others: Any) -> Any:
        result = method(self, first, *others)
        if arrives(result, first) and next(arrivals) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, call)


def step_clock(seconds: float) -> None:
    """Have the system clock step every so many seconds, and the kernel say what it says then."""
    start, real = time.monotonic(), time.time_ns

    def wrong_by() -> int:
        return STEPS[int((time.monotonic() - start) / seconds) % len(STEPS)]

    time.time_ns = lambda: real() + wrong_by()
    setattr(clock.SystemClock, "in_sync", lambda _: wrong_by() == 0)  # noqa: B010 mypy forbids =


if __name__ == "__main__":
    _, fault, *arguments = sys.argv
    if fault == "kill":
        kill_at(arguments.pop(0), int(arguments.pop(0)))
    else:
        step_clock(float(arguments.pop(0)))
    sys.argv[1:] = arguments
    main()
