from __future__ import annotations

import io

import pytest

from bridge.availability import Availability
from contract.log import start_logging


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_each_change_of_state_is_one_line(stream: io.StringIO) -> None:
    kafka = Availability("kafka", start_logging("test", stream=stream), brokers="h:1")
    for _ in range(3):
        kafka.lost("no answer")
    for _ in range(3):
        kafka.back()
    kafka.lost("no answer")
    kafka.lost("reset")
    events = [" ".join(line.split()[3:5]) for line in stream.getvalue().splitlines()]
    assert events == ["waiting for", "kafka connected", "kafka lost"]


def test_a_refusal_is_one_line_whatever_the_library_says_behind_it(stream: io.StringIO) -> None:
    kafka = Availability("kafka", start_logging("test", stream=stream))
    kafka.lost("no answer")
    kafka.lost("the password is wrong: failed after 12 ms", refused=True)
    kafka.lost("the password is wrong: failed after 15 ms", refused=True)
    kafka.lost("the certificate is strange: unknown CA", refused=True)
    lines = stream.getvalue().splitlines()
    assert [("refuses" in line) for line in lines] == [False, True, True]
