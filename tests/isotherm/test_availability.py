from __future__ import annotations

import io

import pytest

from isotherm.log import Availability, SharedAvailability, start_logging


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


def test_one_lane_that_has_no_kafka_is_seen_though_the_others_go_on(stream: io.StringIO) -> None:
    kafka = SharedAvailability("kafka", start_logging("test", stream=stream))
    broken, *others = (kafka.member() for _ in range(4))
    for each in (broken, *others):
        each.back()
    broken.lost("no leader")
    for each in others:
        each.back()
    assert [each.available for each in (broken, *others)] == [False, True, True, True]
    events = [" ".join(line.split()[3:5]) for line in stream.getvalue().splitlines()]
    assert events == ["kafka connected", "kafka lost"]
    broken.back()
    others[0].lost("no leader")
    # One that has ended counts no more.
    others[0].forget()
    others[1].back()
    events = [" ".join(line.split()[3:5]) for line in stream.getvalue().splitlines()]
    assert events[2:] == ["kafka connected", "kafka lost", "kafka connected"]
