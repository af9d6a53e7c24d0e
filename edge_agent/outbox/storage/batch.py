"""What is written to the outbox's file at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.outbox.entry import Entry
    from edge_agent.outbox.storage.database import Store
    from edge_agent.outbox.storage.row_counts import Held


@dataclass(kw_only=True)
class Batch:
    """What one transaction does.

    Attributes:
        entries: to be written, by id; one that stands there already is replaced.
        seqs: the last sequence number given, by guid.
        gone: ids of entries to be deleted.
        aside: why an entry is not sent for now, by id.
        offsets: of the clocks, by boot, nanoseconds.
        facts: by name; see `edge_agent.outbox.storage.database.Saved`.
        fresh: forget all sequence numbers first: the epoch is another.
        source: a store whose file was taken away: its rows are taken over first.
        before: what the store before this one held; None where it is the same.
        known: ids of rows that memory has, though they may stand in no file.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    aside: dict[int, str] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str | int] = field(default_factory=dict)
    fresh: bool = False
    source: Store | None = None
    before: Held | None = None
    known: set[int] = field(default_factory=set)

    @property
    def hurries(self) -> bool:
        """Whether something waits for it to be committed."""
        return bool(self.entries or self.offsets or self.aside)

    def __bool__(self) -> bool:
        parts = (self.entries, self.seqs, self.gone, self.aside, self.offsets, self.facts)
        return self.fresh or any(parts)
