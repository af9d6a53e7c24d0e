import io
import threading

import pytest

from aggregator.errors import DataLossError, DeadLetterError
from aggregator.stream.restarts import Restarts
from isotherm.backoff import Backoff
from isotherm.log import start_logging


def restarts(said: io.StringIO, patience: float | None, times: list[float]) -> Restarts:
    return Restarts(
        start_logging("test", stream=said),
        patience=patience,
        stop=threading.Event(),
        clock=lambda: times.pop(0),
        backoff=Backoff(first=0.001, longest=0.001),
    )


def test_each_reason_is_said_once_until_a_batch_came_through() -> None:
    said = io.StringIO()
    again = restarts(said, None, [0.0, 1.0, 2.0, 3.0])
    for why, batches in (("a", 0), ("a", 0), ("b", 0), ("b", 1)):
        again.after(DeadLetterError(why), batches)
    assert [line.split("reason=")[1] for line in said.getvalue().splitlines()] == ["a", "b", "b"]
    assert again.count == 4


def test_patience_ends_it() -> None:
    again = restarts(io.StringIO(), 60.0, [0.0, 59.0, 60.0])
    again.after(DeadLetterError("a"), 0)
    again.after(DeadLetterError("a"), 0)
    with pytest.raises(DeadLetterError):
        again.after(DeadLetterError("a"), 0)


def test_what_is_not_retriable_ends_it_at_once() -> None:
    with pytest.raises(DataLossError):
        restarts(io.StringIO(), None, [0.0]).after(DataLossError("gone"), 0)
