"""From samples to readings: each gets its place in its sensor's sequence."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from contract.fields import Clock
from contract.reading import Origin, Reading, encode

if TYPE_CHECKING:
    from edge_agent.sample import Sample


def new_epoch() -> str:
    """The name of a new sequence: 64 random bits in hex."""
    return secrets.token_hex(8)


class Stamper:
    """Gives sequence numbers, from 1 for each sensor.

    Args:
        destination: whom the readings are for.
        epoch: names this sequence; see `new_epoch`.
    """

    def __init__(self, *, destination: str, epoch: str) -> None:
        self._destination = destination
        self._epoch = epoch
        self._seqs: dict[str, int] = {}

    def encode(self, sample: Sample) -> bytes:
        """The reading, as one line of JSON."""
        seq = self._seqs[sample.guid] = self._seqs.get(sample.guid, 0) + 1
        return encode(
            Reading(
                guid=sample.guid,
                destination=self._destination,
                state=sample.state,
                event_time=sample.wall,
                temperature=sample.temperature,
                origin=Origin(epoch=self._epoch, seq=seq, clock=Clock.SYNCED),
            )
        )
