"""The bridge's errors.

BridgeError
├── MalformedPacketError   the MQTT byte stream is not MQTT; the connection is closed
│   └── PacketTooLargeError    a packet above what CONNECT announced
├── SinkError              Kafka did not take a batch
│   ├── SinkUnavailableError   not now: unreachable, topic missing, not enough replicas (retriable)
│   │   └── LettersTooLargeError   the dead-letter topic may take smaller parts
│   ├── SinkClosingError       the bridge is stopping; the batch stays with the MQTT broker
│   ├── BatchTooSlowError      it did not get through in the time of a transaction
│   ├── RecordsRefusedError    Kafka will never take some of the records
│   └── FencedError            another process runs under the same client id
├── SessionsLeftError      sessions of an earlier start would double what this one forwards
└── MissingClientError     the chosen Kafka client is not installed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isotherm.errors import EXIT_DEPENDENCY, EXIT_USAGE, IsothermError

if TYPE_CHECKING:
    from bridge.records import Batch, Record


class BridgeError(IsothermError):
    """Anything that the bridge raises on purpose."""


class MalformedPacketError(BridgeError, ValueError):
    """Bytes from the MQTT broker that are not MQTT; reconnecting gives a clean start."""

    retriable = True


class PacketTooLargeError(MalformedPacketError):
    """A packet above `mqtt.max_packet_size`.

    Args:
        size: of the packet, bytes.
        limit: the setting.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the broker sends a packet of {size} bytes, above mqtt.max_packet_size = {limit}; "
            "find who publishes it, or raise the setting"
        )


class SinkError(BridgeError):
    """Kafka did not take a batch, so nothing of it is acknowledged."""


class SinkUnavailableError(SinkError, ConnectionError):
    """Kafka cannot take records now.

    Args:
        why: what is wrong, and what a person may do.
        remaining: what is to be delivered again; None where nothing was being delivered.
        refused: Kafka answers, but will not have us; see `isotherm.settings.refusal`.
    """

    retriable = True
    exit_code = EXIT_DEPENDENCY

    def __init__(self, why: str, remaining: Batch | None = None, *, refused: bool = False) -> None:
        self.remaining = remaining
        self.refused = refused
        super().__init__(why)


class SinkClosingError(SinkError):
    """A delivery was given up since the bridge is stopping; the MQTT broker keeps the messages."""


class BatchTooSlowError(SinkError):
    """A batch did not get through in the time of a transaction, and for certain nothing of it did.

    Tried again whole it would fare no better: deliver less at a time.
    """

    retriable = True


class LettersTooLargeError(SinkUnavailableError):
    """The dead-letter topic takes no record as large as one of these; it may take smaller ones."""


class RecordsRefusedError(SinkError):
    """Kafka will never take some readings, such as one above the topic's limit.

    Args:
        refusals: the readings, as they stood in the batch, each with Kafka's own words.
        remaining: what is still to be delivered, without those.
    """

    def __init__(self, refusals: list[tuple[Record, str]], remaining: Batch) -> None:
        self.refusals = refusals
        self.remaining = remaining
        super().__init__(f"Kafka refuses {len(refusals)} records: {refusals[0][1]}")


class FencedError(SinkError):
    """Another process took over this client id; this one must end, and not come back."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            f"another bridge runs under the client id {client_id!r}, so this one ends; give each "
            "bridge a --client-id of its own"
        )


class SessionsLeftError(BridgeError):
    """Sessions of an earlier start would double or lose messages; says how to end them."""

    exit_code = EXIT_USAGE


class MissingClientError(BridgeError, ImportError):
    """The chosen Kafka client is not installed."""

    exit_code = EXIT_DEPENDENCY
