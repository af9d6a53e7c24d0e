"""The golden cases: records with the verdicts and analytics that the contract asks for.

`tests/cases/<name>/input.jsonl` holds records as bytes, each ended by one line feed (so an empty
line is an empty record, and a carriage return belongs to its record). `expected.json` beside it
holds one verdict for each record, null for a reading, "gap" for a gap, with a word on why, and the
four analytics over the case's readings. They were written from the contract, not copied from a
program's output.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypedDict

from isotherm.contract.reasons import Reason

GAP: Final = "gap"
Verdict = Reason | Literal["gap"] | None
CASES = Path(__file__).parents[1] / "cases"


class Analytics(TypedDict):
    """The four numbers under the names of a snapshot's scope, in a snapshot's order.

    Averages (degrees Fahrenheit) are to be compared to 1e-9: the order of a sum is not fixed.
    """

    average_temperature_by_state: list[tuple[str, float]]
    total_messages: int
    sensors_by_state: list[tuple[str, int]]
    total_sensors: int


@dataclass(frozen=True, slots=True)
class Case:
    """One folder under tests/cases.

    Attributes:
        name: the folder's.
        records: the bytes of each record, without the line feed.
        verdicts: for each record None where it is a reading, `GAP` for a gap, else the reason.
        whys: for each record one phrase for people.
        analytics: over the readings alone.
    """

    name: str
    records: tuple[bytes, ...]
    verdicts: tuple[Verdict, ...]
    whys: tuple[str, ...]
    analytics: Analytics

    @property
    def input(self) -> Path:
        """The file with the records."""
        return CASES / self.name / "input.jsonl"

    @property
    def rejected(self) -> dict[str, int]:
        """How many records each reason took, as in a snapshot."""
        return dict(Counter(v.value for v in self.verdicts if isinstance(v, Reason)))

    @property
    def readings(self) -> tuple[bytes, ...]:
        """The records that are readings."""
        return tuple(r for r, v in zip(self.records, self.verdicts, strict=True) if v is None)


@cache
def cases() -> tuple[Case, ...]:
    """All golden cases by name.

    Raises:
        ValueError: a case does not have one verdict for each record, or its input ends in mid-line.
    """
    return tuple(_case(folder) for folder in sorted(CASES.iterdir()) if folder.is_dir())


def _case(folder: Path) -> Case:
    *records, rest = (folder / "input.jsonl").read_bytes().split(b"\n")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    rows = expected["records"]
    if rest or len(records) != len(rows):
        raise ValueError(f"{folder}: {len(records)} records, {len(rows)} verdicts, rest {rest!r}")
    found = expected["analytics"]
    return Case(
        name=folder.name,
        records=tuple(records),
        verdicts=tuple(_verdict(row["verdict"]) for row in rows),
        whys=tuple(row["why"] for row in rows),
        analytics=Analytics(
            average_temperature_by_state=[(s, t) for s, t in found["average_temperature_by_state"]],
            total_messages=found["total_messages"],
            sensors_by_state=[(s, n) for s, n in found["sensors_by_state"]],
            total_sensors=found["total_sensors"],
        ),
    )


def _verdict(word: str | None) -> Verdict:
    if word is None:
        return None
    return "gap" if word == GAP else Reason(word)
