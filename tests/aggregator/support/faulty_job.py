"""The job with one fault of its surroundings, in place of `aggregator/job.py`.

    spark-submit --packages … tests/aggregator/support/faulty_job.py POINT COUNT --kafka … …

The job is the real one from its command line on; it knows of none of this.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path[0] = str(Path(__file__).resolve().parents[3])

from aggregator.cli.main import job  # noqa: E402 a file that spark-submit runs has no path to us
from aggregator.dead_letters.kafka_topic import KafkaBox  # noqa: E402 the same
from aggregator.ledger.ledger import Ledger  # noqa: E402 the same
from aggregator.stream.trigger import Triggers  # noqa: E402 the same

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS: Final[dict[str, tuple[type, str, bool]]] = {
    # Letters are at Kafka, and their transaction is open.
    "letters": (KafkaBox, "_flush", True),
    # Kafka has committed the letters, and nothing is counted.
    "lettered": (KafkaBox, "put", True),
    # The batch is in hand, and nothing is written.
    "before": (Ledger, "add", False),
    # All is written, and nothing is committed.
    "within": (Ledger, "_write", True),
    # The ledger has it, and nobody was told.
    "after": (Ledger, "add", True),
    # Everybody was told, and Spark has not committed.
    "output": (Triggers, "batch", True),
}
"""Which method is wrapped for each point, and whether the kill comes behind it."""


def kill_at(point: str, count: int) -> None:
    """End the driver, Java and Python, as `kill -9` does, at the point in its so-many-th batch."""
    owner, name, behind = POINTS[point]
    method: Callable[..., Any] = getattr(owner, name)
    arrivals = itertools.count(1)

    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        due = next(arrivals) == count
        if due and not behind:
            _kill()
        result = method(*arguments)
        if due:
            _kill()
        return result

    setattr(owner, name, call)


def _kill() -> None:
    # Under spark-submit Java is the parent.
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    kill_at(sys.argv.pop(1), int(sys.argv.pop(1)))
    sys.exit(job())
