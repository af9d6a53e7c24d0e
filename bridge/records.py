"""Kafka records, and how a payload becomes them: pure functions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.mqtt.framing import Cut
from isotherm.contract.event_time import format_event_time
from isotherm.contract.fast import judge_guid
from isotherm.contract.reasons import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.mqtt.framing import Frame

PART_BYTES: Final = 900_000
"""A dead letter above this is written in parts, so that Kafka takes it with its default limits
(max.message.bytes of 1,048,588 for a batch, headers included)."""

LEAST_PART_BYTES: Final = PART_BYTES >> 8
"""Where the topic takes less, parts are halved down to this; below, most of a record is headers."""

MAX_LINES: Final = 10_000
_MQTT_TOPIC_BYTES: Final = 1024
"""How much of an MQTT topic is in a letter's header: one may have 65,535 bytes, and a message
as many letters as it has lines."""

_NOT_EVEN_JSON: Final = frozenset({Reason.TOO_LARGE, Reason.NOT_UTF8, Reason.NOT_JSON})

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """One Kafka record on its way.

    Attributes:
        key: chooses the partition; a reading's guid in UTF-8.
        value: the record's bytes.
        headers: empty for readings and gaps.
    """

    key: bytes
    value: bytes
    headers: Headers = ()


class Batch(NamedTuple):
    """What is delivered together.

    Attributes:
        readings: for the readings topic, in arrival order.
        dead_letters: for the dead-letter topic.
        positions: of the MQTT messages that all this came in (`bridge.kafka.positions`).
    """

    readings: list[Record]
    dead_letters: list[Record]
    positions: bytes = b""


class Letter(NamedTuple):
    """A record that is not a reading: its original bytes, and why."""

    value: bytes
    rejection: Rejection


def sift(
    frames: Iterable[Frame], readings: list[Record], max_lines: int = MAX_LINES
) -> list[tuple[Letter, bytes]]:
    """Append the readings in MQTT messages to `readings`, in order.

    Args:
        frames: in arrival order.
        readings: gets the readings.
        max_lines: of one message; with more, all of it is one letter.

    Returns:
        The dead letters, in order, each with the MQTT topic that it came from. A message whose
        judging fails is one: it would come again for ever, and hold up all that came with it.
    """
    frames = list(frames)
    before = len(readings)
    try:
        return _sift(frames, readings, max_lines)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 whatever it is, it lies in one of the messages
        del readings[before:]
    letters: list[tuple[Letter, bytes]] = []
    for frame in frames:
        before = len(readings)
        try:
            letters += _sift([frame], readings, max_lines)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 the same
            del readings[before:]
            why = f"judging it raised {type(error).__name__}"
            letters.append(
                (_letter(frame.payload, Rejection(Reason.UNCOUNTABLE, why)), frame.topic)
            )
    return letters


def _sift(
    frames: Iterable[Frame], readings: list[Record], max_lines: int
) -> list[tuple[Letter, bytes]]:
    letters: list[tuple[Letter, bytes]] = []
    append = readings.append
    # As Record(...), at half the cost.
    new = tuple.__new__
    for topic, payload, _mid, _duplicate, _retained in frames:
        if b"\n" not in payload:
            guid = judge_guid(payload)
            if isinstance(guid, str):
                append(new(Record, (guid.encode(), payload, ())))
            else:
                letters.append((_letter(payload, guid), topic))
        elif (whole := _beyond_bounds(payload, max_lines)) is not None:
            letters.append((whole, topic))
        elif (records := _lines_of_readings(payload)) is not None:
            readings += records
        else:
            for item in split_payload(payload):
                if isinstance(item, Record):
                    append(item)
                else:
                    letters.append((item, topic))
    return letters


def _beyond_bounds(payload: bytes, max_lines: int) -> Letter | None:
    """The letter of a message that is not looked into: its work and memory would have no bound."""
    if isinstance(payload, Cut):
        return _letter(payload, Rejection(Reason.TOO_LARGE, ""))
    lines = payload.count(b"\n") + (not payload.endswith(b"\n"))
    if lines <= max_lines:
        return None
    why = f"a message of {lines} lines, above bridge.max_lines = {max_lines}"
    return Letter(payload, Rejection(Reason.TOO_LARGE, why))


def _letter(payload: bytes, rejection: Rejection) -> Letter:
    """The letter of a whole message, which may have been cut."""
    if isinstance(payload, Cut):
        why = (
            f"the first {len(payload)} bytes of {payload.length} with SHA-256 {payload.digest}; "
            f"the packet was above mqtt.max_packet_size = {payload.limit}"
        )
        rejection = Rejection(Reason.TOO_LARGE, why)
    return Letter(payload, rejection)


def _lines_of_readings(payload: bytes) -> list[Record] | None:
    """The records of a payload of nothing but readings with plain line ends, which most are."""
    if b"\r" in payload:
        return None
    new = tuple.__new__
    records: list[Record] = []
    for line in payload.removesuffix(b"\n").split(b"\n"):
        guid = judge_guid(line)
        if isinstance(guid, Rejection):
            return None
        records.append(new(Record, (guid.encode(), line, ())))
    return records


def split_payload(payload: bytes) -> Iterator[Record | Letter]:
    """The readings, gaps and dead letters in one MQTT payload, in order.

    A payload is one JSON object, also one written over several lines, or one reading per line
    (NDJSON). Line ends and blank lines between readings are not part of any record; everything
    else is kept byte for byte. A payload that is empty or blank is one dead letter.
    """
    if b"\n" not in payload:
        yield _judge(payload)
        return
    lines = _lines(payload)
    records = [_judge(line) for line in lines or [payload]]
    if len(lines) > 1 and all(isinstance(record, Letter) for record in records):
        # No line is a reading, so this may be one JSON object that is written over several lines.
        whole = _judge(payload)
        if isinstance(whole, Record) or whole.rejection.reason not in _NOT_EVEN_JSON:
            records = [whole]
    yield from records


def dead_letter(
    letter: Letter, mqtt_topic: bytes, time: int, part_bytes: int = PART_BYTES
) -> list[Record]:
    """The records of the dead-letter topic for one letter: one, or its parts where it is large.

    All parts have the same key, so they are in one partition in order; the headers ``part`` and
    ``parts`` count from 1.

    Args:
        letter: what was rejected.
        mqtt_topic: where it came from; its first 1024 bytes are given.
        time: when it was rejected, nanoseconds since 1970.
        part_bytes: of a part, at most.
    """
    chunks = [
        letter.value[start : start + part_bytes]
        for start in range(0, max(len(letter.value), 1), part_bytes)
    ]
    key = hashlib.sha256(letter.value).hexdigest().encode()
    headers = (
        ("reason", letter.rejection.reason.encode()),
        ("detail", letter.rejection.detail.encode()),
        ("mqtt_topic", mqtt_topic[:_MQTT_TOPIC_BYTES]),
        ("time", format_event_time(time).encode()),
        ("parts", str(len(chunks)).encode()),
    )
    return [
        Record(key, chunk, (*headers, ("part", str(number).encode())))
        for number, chunk in enumerate(chunks, 1)
    ]


def _lines(payload: bytes) -> list[bytes]:
    lines = (line.removesuffix(b"\r") for line in payload.split(b"\n"))
    return [line for line in lines if line.strip(b" \t\r")]


def _judge(raw: bytes) -> Record | Letter:
    verdict = judge_guid(raw)
    if isinstance(verdict, Rejection):
        return Letter(raw, verdict)
    return Record(verdict.encode(), raw)
