"""Looks up what bridges noted of their sessions, in whatever partition that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bridge.kafka.errors import SinkClosingError
from bridge.kafka.kafka_python.producer import client_settings, unavailable
from bridge.kafka.session_notes import HEADER, Note, parse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Event

    from bridge.settings import BridgeSettings

LOOK_BACK: Final = 20_000
"""Records of each partition that are looked through, which bounds the time of a start. Those of a
bridge that has just ended are among them. Where others wrote more to the same partition since, it
is not found, and its session stays: docs/guarantees.md, "Not promised"."""
_POLL_MS: Final = 250


class Known(NamedTuple):
    """What stands under a client id.

    Attributes:
        note: None where an earlier version wrote, which noted nothing.
        at: when it was written, seconds since 1970.
    """

    note: Note | None
    at: float


def known(settings: BridgeSettings, client_ids: Iterable[str], stopping: Event) -> dict[str, Known]:
    """What the last records under these client ids say; those without any are left out.

    Args:
        settings: brokers and topics.
        client_ids: of sessions.
        stopping: ends it.

    Raises:
        SinkUnavailableError: Kafka does not answer.
        SinkClosingError: the bridge is stopping.
    """
    wanted = {name.encode(): name for name in client_ids}
    found: dict[str, Known] = {}
    try:
        consumer = KafkaConsumer(
            **client_settings(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            group_id=None,
        )
        try:
            partitions = consumer.partitions_for_topic(settings.position_topic) or set()
            places = [TopicPartition(settings.position_topic, number) for number in partitions]
            consumer.assign(places)
            begins = consumer.beginning_offsets(places)
            ends = consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, max(begins[place], ends[place] - LOOK_BACK))
            while any(consumer.position(place) < ends[place] for place in places):
                if stopping.is_set():
                    raise SinkClosingError("the position topic is not read")
                for records in consumer.poll(timeout_ms=_POLL_MS).values():
                    for record in records:
                        if record.key in wanted:
                            _take(found, wanted[record.key], record)
        finally:
            consumer.close()
    except KafkaError as error:
        raise unavailable(settings, error) from error
    return found


def _take(found: dict[str, Known], name: str, record: Any) -> None:
    at = max(0, record.timestamp) / 1000
    if name not in found or at >= found[name].at:
        found[name] = Known(parse(dict(record.headers).get(HEADER) or b""), at)
