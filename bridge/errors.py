"""The bridge's errors.

BridgeError
├── MalformedPacketError   the MQTT byte stream is not MQTT; the connection is closed
├── SinkError              Kafka did not take a batch
│   ├── SinkUnavailableError   not now: unreachable, topic missing, not enough replicas (retriable)
│   └── SinkClosingError       the bridge is stopping; the batch stays with the MQTT broker
└── MissingClientError     the chosen Kafka client is not installed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import EXIT_DEPENDENCY, IsothermError

if TYPE_CHECKING:
    from bridge.records import Batch


class BridgeError(IsothermError):
    """Anything that the bridge raises on purpose."""


class MalformedPacketError(BridgeError, ValueError):
    """Bytes from the MQTT broker that are not MQTT; reconnecting gives a clean start."""

    retriable = True


class SinkError(BridgeError):
    """Kafka did not take a batch, so nothing of it is acknowledged."""


class SinkUnavailableError(SinkError, ConnectionError):
    """Kafka cannot take records now.

    Args:
        why: what is wrong, and what a person may do.
        remaining: what is to be delivered again; None where nothing was being delivered.
    """

    retriable = True
    exit_code = EXIT_DEPENDENCY

    def __init__(self, why: str, remaining: Batch | None = None) -> None:
        self.remaining = remaining
        super().__init__(why)


class SinkClosingError(SinkError):
    """A delivery was given up since the bridge is stopping; the MQTT broker keeps the messages."""


class MissingClientError(BridgeError, ImportError):
    """The chosen Kafka client is not installed."""

    exit_code = EXIT_DEPENDENCY
