"""From samples to entries: each gets its place in its sensor's sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.outbox.entry import Entry, Lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.sampling.sample import Sample


class Stamper:
    """Gives the sequence numbers of one epoch, from 1 for each sensor.

    Args:
        epoch: names the sequences; see `edge_agent.outbox.epoch.new_epoch`.
        seqs: the last number given, by guid.
    """

    def __init__(self, epoch: str, seqs: Mapping[str, int] | None = None) -> None:
        self.epoch = epoch
        self.seqs = dict(seqs or {})

    def stamp(self, sample: Sample, *, id: int, boot: str, synced: bool) -> Entry:  # noqa: A002 the entry's own word
        """A sample as an entry."""
        return Entry(
            id=id,
            guid=sample.guid,
            epoch=self.epoch,
            seq=self.next(sample.guid),
            state=sample.state,
            wall=sample.wall,
            uptime=sample.uptime,
            boot=boot,
            synced=synced,
            # SQLite gives a whole number back as a float, and -0.0 as 0.0.
            temperature=float(sample.temperature) + 0.0,
        )

    def gap(self, like: Entry, lost: Lost, *, id: int) -> Entry:  # noqa: A002 the same
        """A gap, with the guid, the state and the times of `like`."""
        return like._replace(
            id=id, epoch=self.epoch, seq=self.next(like.guid), temperature=None, lost=lost
        )

    def next(self, guid: str) -> int:
        """The next number of a sensor."""
        seq = self.seqs[guid] = self.seqs.get(guid, 0) + 1
        return seq
