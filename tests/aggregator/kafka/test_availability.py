import io
import threading
from typing import TYPE_CHECKING

import pytest

from aggregator.kafka import availability as kafka
from aggregator.kafka.availability import Attendance, Presence, wait_for_topic
from isotherm.kafka.errors import KafkaAccessError, KafkaUnavailableError
from isotherm.log import Log, start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(kafka, "_PAUSE", 0)
    return start_logging("aggregator", stream=lines)


def look(*found: Presence | KafkaAccessError) -> kafka.Look:
    script: Iterator[Presence | KafkaAccessError] = iter(found)

    def seen() -> Presence:
        now = next(script)
        if isinstance(now, KafkaAccessError):
            raise now
        return now

    return seen


def attendance(log: Log, *found: Presence | KafkaAccessError) -> Attendance:
    return Attendance(look(*found), brokers="k:1", topic="t", log=log)


def said(lines: io.StringIO) -> list[str]:
    return [line.partition(" ")[2] for line in lines.getvalue().splitlines()]


def test_a_topic_that_is_there_is_no_news(log: Log, lines: io.StringIO) -> None:
    here = attendance(log, Presence.READY)
    assert wait_for_topic(here, patience=1, stop=threading.Event())
    assert lines.getvalue() == ""


def test_says_once_for_each_thing_what_is_waited_for(log: Log, lines: io.StringIO) -> None:
    script = (*[Presence.NO_BROKER] * 3, *[Presence.NO_TOPIC] * 3, Presence.READY)
    assert wait_for_topic(attendance(log, *script), patience=None, stop=threading.Event())
    assert said(lines) == [
        "warn  aggregator waiting missing=broker kafka=k:1 topic=t",
        "warn  aggregator waiting missing=topic kafka=k:1 topic=t",
        "info  aggregator found kafka=k:1 topic=t",
    ]


def test_a_wait_that_follows_a_loss_says_nothing_twice(log: Log, lines: io.StringIO) -> None:
    here = attendance(log, *[Presence.NO_BROKER] * 3, *[Presence.READY] * 2)
    assert not here.here()
    assert wait_for_topic(here, patience=None, stop=threading.Event())
    assert here.here()
    assert said(lines) == [
        "warn  aggregator waiting missing=broker kafka=k:1 topic=t",
        "info  aggregator found kafka=k:1 topic=t",
    ]


def test_a_broker_that_will_not_have_us_is_waited_for_and_said_once_for_each_reason(
    log: Log, lines: io.StringIO
) -> None:
    script: tuple[Presence | KafkaAccessError, ...] = (
        Presence.NO_BROKER,
        *(KafkaAccessError(f"wrong password: try {number}") for number in range(3)),
        KafkaAccessError("wrong name: x"),
        Presence.READY,
    )
    here = attendance(log, *script)
    assert wait_for_topic(here, patience=None, stop=threading.Event())
    assert said(lines) == [
        "warn  aggregator waiting missing=broker kafka=k:1 topic=t",
        'error aggregator no access to kafka kafka=k:1 why="wrong password: try 0"',
        'error aggregator no access to kafka kafka=k:1 why="wrong name: x"',
        "info  aggregator found kafka=k:1 topic=t",
    ]
    assert here.why == ""


@pytest.mark.parametrize(
    ("missing", "sentence"),
    (
        (
            Presence.NO_BROKER,
            "no Kafka broker answers at k:1 after 2 s: check --kafka and kafka.security_protocol",
        ),
        (KafkaAccessError("wrong password"), "no access to Kafka at k:1 after 2 s: wrong password"),
        (Presence.NO_TOPIC, "Kafka at k:1 has no topic t after 2 s: check --topic, or create it"),
    ),
)
def test_gives_up_when_patience_runs_out(
    missing: Presence | KafkaAccessError, sentence: str, log: Log
) -> None:
    ticks = iter(range(10))
    with pytest.raises(KafkaUnavailableError, match=sentence) as raised:
        wait_for_topic(
            attendance(log, *[missing] * 10),
            patience=2,
            stop=threading.Event(),
            clock=lambda: next(ticks),
        )
    assert raised.value.exit_code == 3


def test_a_stop_ends_the_wait(log: Log) -> None:
    stop = threading.Event()
    stop.set()
    assert not wait_for_topic(attendance(log), patience=None, stop=stop)
