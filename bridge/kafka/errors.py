"""What a sink raises.

BridgeError
└── SinkError              Kafka did not take a batch
    ├── SinkUnavailableError   not now: unreachable, topic missing, not enough replicas (retriable)
    │   └── LettersTooLargeError   the dead-letter topic may take smaller parts
    ├── SinkClosingError       the bridge is stopping; the batch stays with the MQTT broker
    ├── BatchTooSlowError      it did not get through in the time of a transaction
    ├── RecordsRefusedError    Kafka will never take some of the records
    └── FencedError            another process runs under the same client id
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import BridgeError
from isotherm.errors import EXIT_DEPENDENCY

if TYPE_CHECKING:
    from bridge.records import Batch, Record


class SinkError(BridgeError):
    """Kafka did not take a batch, so nothing of it is acknowledged."""


class SinkUnavailableError(SinkError, ConnectionError):
    """Kafka cannot take records now.

    Args:
        why: what is wrong, and what a person may do.
        remaining: what is to be delivered again; None where nothing was being delivered.
        refused: Kafka answers, but refuses us; see `isotherm.settings.refusal`.
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
        refusals: the readings, as they were in the batch, each with Kafka's own words.
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
