"""Somebody else's program that writes into the topic: bad records, and some twice."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from isotherm.contract.event_time import format_event_time

if TYPE_CHECKING:
    from collections.abc import Callable

GUID: Final = "stranger-1"
_EVERY_S: Final = 4.0
_BLOCK_MS: Final = 1_000


class Turn(NamedTuple):
    """What is written at one turn: a reading, twice, and something that is none."""

    reading: bytes
    rejected: bytes


def turn(number: int, epoch: str, now: int) -> Turn:
    """What the stranger writes.

    Args:
        number: of the turn, from 1.
        epoch: names its sequence counter.
        now: nanoseconds since 1970.
    """
    good: dict[str, Any] = {
        "guid": GUID,
        "destination": "0-AAA12345678",
        "state": "TX",
        "eventTime": format_event_time(now),
        "payload": {"format": "urn:example:sensor:temp", "data": {"temperature": 64.8}},
        "origin": {"epoch": epoch, "seq": number, "clock": "unsynced"},
    }
    hot = {"format": "urn:example:sensor:temp", "data": {"temperature": 1_000.0}}
    bad = (
        {**good, "state": "XX"},
        {**good, "payload": hot},
        {key: value for key, value in good.items() if key != "eventTime"},
        "what is this",
    )
    return Turn(_encoded(good), _encoded(bad[number % len(bad)]))


class Stranger:
    """Writes every 4 s, while the context lasts; what Kafka does not take is left.

    Args:
        kafka: ``host:port``.
        topic: where it writes.
        clock: seconds, monotonic.
    """

    def __init__(self, kafka: str, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        from kafka import KafkaProducer  # noqa: PLC0415 not for --help

        self._topic = topic
        self._clock = clock
        self._epoch = secrets.token_hex(8)
        self._number = 0
        self._next = clock()
        self._producer = KafkaProducer(bootstrap_servers=kafka, max_block_ms=_BLOCK_MS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=1)

    def look(self) -> None:
        """Write if it is time."""
        from kafka.errors import KafkaError  # noqa: PLC0415 as above

        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY_S
        self._number += 1
        reading, rejected = turn(self._number, self._epoch, time.time_ns())
        with contextlib.suppress(KafkaError):
            for value in (reading, reading, rejected):
                self._producer.send(self._topic, key=GUID.encode(), value=value)


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
