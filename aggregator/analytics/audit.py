"""The audit: what the seqs of the origins prove, and how punctual the readings are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the origins prove: ``expected = received + explained + missing``.

    Of a trigger it is by how much the trigger has changed what holds since the start, so `missing`
    and `explained` may be negative: readings that come late fill holes. All triggers together
    come to what holds since the start.

    Attributes:
        expected: records that were sent: of each (guid, epoch) the highest seq that is known. None
            without the ledger, which alone can say.
        received: records (readings and gaps) with an origin, each once.
        gaps: those of them that are gaps.
        missing: expected, and neither received nor explained. None without the ledger.
        explained: readings that did not come, and whose sender says that it dropped them.
        duplicated: records whose (guid, epoch, seq) had come before, whatever they say.
        unsynced: readings whose agent did not trust its clock; a duplicate counts again.
    """

    expected: int | None = None
    received: int = 0
    gaps: int = 0
    missing: int | None = None
    explained: int = 0
    duplicated: int = 0
    unsynced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime:
    """The event times of readings, duplicates included.

    Attributes:
        min: the earliest, as text with Z.
        max: the latest.
        late: readings that came later than the setting ``late``.
        future: readings from further in the future than the setting ``future``.
    """

    min: str
    max: str
    late: int = 0
    future: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the ledger counts, to be added and subtracted; attributes as in `Audit`, `EventTime`."""

    expected: int = 0
    received: int = 0
    gaps: int = 0
    explained: int = 0
    duplicated: int = 0
    unsynced: int = 0
    late: int = 0
    future: int = 0

    def __sub__(self, other: Self) -> Self:
        names = [field.name for field in fields(self)]
        return type(self)(**{name: getattr(self, name) - getattr(other, name) for name in names})

    def audit(self) -> Audit:
        """The same with what is missing."""
        return Audit(
            expected=self.expected,
            received=self.received,
            gaps=self.gaps,
            missing=self.expected - self.received - self.explained,
            explained=self.explained,
            duplicated=self.duplicated,
            unsynced=self.unsynced,
        )
