"""What the bridge counts. Every message is in one of these numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Stats:
    """Counts since the start; written by the pump's thread only.

    Attributes:
        received: MQTT messages taken from the broker.
        duplicates: those among them that the broker marked as sent before.
        suppressed: redeliveries that were in Kafka already and are not written again.
        delivered: readings that Kafka confirmed.
        rejected: dead letters that Kafka confirmed, by reason.
        acknowledged: MQTT messages whose PUBACK was sent.
        stale: MQTT messages whose connection had ended before their PUBACK; they come again.
    """

    received: int = 0
    duplicates: int = 0
    suppressed: int = 0
    delivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    stale: int = 0

    def add(self, other: Stats) -> None:
        """Count what another lane counted, too."""
        self.received += other.received
        self.duplicates += other.duplicates
        self.suppressed += other.suppressed
        self.delivered += other.delivered
        self.rejected.update(other.rejected)
        self.acknowledged += other.acknowledged
        self.stale += other.stale

    def facts(self) -> dict[str, object]:
        """For a log line."""
        reasons = ",".join(f"{reason}:{count}" for reason, count in sorted(self.rejected.items()))
        return {
            "received": self.received,
            "duplicates": self.duplicates,
            "suppressed": self.suppressed,
            "delivered": self.delivered,
            "rejected": reasons or 0,
            "acknowledged": self.acknowledged,
            "stale": self.stale,
        }


def total(lanes: Iterable[Stats]) -> Stats:
    """The sum over lanes."""
    result = Stats()
    for stats in lanes:
        result.add(stats)
    return result
