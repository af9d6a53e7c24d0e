import threading

from aggregator.kafka.lag import Lag
from isotherm.log import Log
from isotherm.tasks import Tasks
from tests.support import await_true


class Told:
    """A topic whose end is told."""

    def __init__(self, ends: dict[int, int] | None) -> None:
        self.ends = ends
        self.closed = threading.Event()

    def __call__(self) -> dict[int, int] | None:
        return self.ends

    def close(self) -> None:
        self.closed.set()


def test_the_lag_is_what_lies_between_the_batch_and_the_end() -> None:
    ends = Told({0: 10, 1: 20, 2: 5})
    with Lag(ends, Tasks(Log("test"))) as lag:
        await_true(lambda: lag.counted({0: 0, 1: 0, 2: 0}) == 35, "the first look")
        # Partition 1 was looked at before the batch began; partition 2 is new.
        assert lag.counted({0: 7, 1: 25}) == 3 + 0 + 5
        assert lag.behind() == 8
        assert lag.counted(None) is None
    assert ends.closed.wait(10)


class Falling:
    """A topic whose first question raises what nobody expects."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> dict[int, int] | None:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError
        return {0: 10}

    def close(self) -> None:
        pass


def test_a_thread_that_falls_is_said_and_begun_again() -> None:
    tasks = Tasks(Log("test"))
    with Lag(Falling(), tasks) as lag:
        await_true(lambda: bool(tasks.faults()), "the end of the thread")
        assert tasks.ends == 1
        await_true(lambda: lag.counted({0: 7}) == 3, "the next look")
        assert tasks.faults() == []


def test_without_an_answer_it_is_not_known() -> None:
    with Lag(Told(None), Tasks(Log("test"))) as lag:
        assert lag.counted({0: 7}) is None
