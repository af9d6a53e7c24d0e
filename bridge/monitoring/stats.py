"""What the bridge counts. Every message is in one of these numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Stats:
    """Counts since the start.

    Each is written by one thread alone, and so needs no lock; whoever reads from another thread
    sees each number as of now, but not all of them as of one moment.

    Attributes:
        received: MQTT messages taken from the broker; written by the network thread.
        dropped: those among them at QoS 0 that found no room, or were here at the end; written by
            the network thread, and by the main thread once that reads no more.
        settled: those among them that are done with: acknowledged, stale, or at QoS 0.
        duplicates: those among them that the broker marked as sent before.
        suppressed: redeliveries that were in Kafka already and are not written again.
        delivered: readings that Kafka confirmed.
        rejected: dead letters that Kafka confirmed, by reason.
        acknowledged: MQTT messages whose PUBACK was sent.
        stale: MQTT messages whose connection had ended before their PUBACK; they come again.
        oldest: when the oldest message in flight came, seconds of the monotonic clock.
        kafka_errors: deliveries that had to be repeated, and failed attempts to open Kafka.
        reconnects: MQTT connections after the first; written by the network thread.
        waiting_bytes: about how much memory those take that are not done with.
        batch_limit: the most that goes into one batch, counted in the same way.
        searches_cut: searches of the position topic that were ended by their bound; written by the
            pump's thread.
        sessions_lost: connections that found no session where one should have been; written by the
            network thread, or by the pump's for the first one.
        session_lost_at: when the last one did, seconds since 1970; 0 before the first.
    """

    received: int = 0
    dropped: int = 0
    settled: int = 0
    duplicates: int = 0
    suppressed: int = 0
    delivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    stale: int = 0
    oldest: float = 0.0
    kafka_errors: int = 0
    reconnects: int = 0
    sessions_lost: int = 0
    searches_cut: int = 0
    session_lost_at: float = 0.0
    waiting_bytes: int = 0
    batch_limit: int = 0

    @property
    def in_flight(self) -> int:
        """Messages that came and are not done with."""
        # In this order, or a message that comes meanwhile would make it negative.
        done = self.settled + self.dropped
        return self.received - done

    def age(self, now: float) -> float:
        """How long the oldest message in flight has waited at `now`, seconds; 0 without any."""
        return max(0.0, now - self.oldest) if self.in_flight else 0.0

    def add(self, other: Stats) -> None:
        """Count what another lane counted, too."""
        self.received += other.received
        self.dropped += other.dropped
        self.settled += other.settled
        self.kafka_errors += other.kafka_errors
        self.reconnects += other.reconnects
        self.sessions_lost += other.sessions_lost
        self.searches_cut += other.searches_cut
        self.session_lost_at = max(self.session_lost_at, other.session_lost_at)
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
            "dropped": self.dropped,
        }


def total(lanes: Iterable[Stats]) -> Stats:
    """The sum over lanes."""
    result = Stats()
    for stats in lanes:
        result.add(stats)
    return result
