"""What an agent named, committed and sent, over all of its lives, as its journal tells it. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Name(NamedTuple):
    """What no two readings share."""

    guid: str
    epoch: str
    seq: int


_Row = tuple[Name, float | None]


@dataclass
class Made:
    """What agents made; of several agents together, since no two have a guid in common.

    Attributes:
        temperatures: of all that must arrive, unless a gap tells that it was dropped; None for a
            gap itself.
        uncommitted: readings that were named and not committed when their agent was killed, which
            no agent promises.
        sent: by guid, each line that went to the broker, as often and in the order in which it did.
        torn: lines that a kill cut off.
    """

    temperatures: dict[Name, float | None] = field(default_factory=dict)
    uncommitted: int = 0
    sent: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    torn: int = 0

    @property
    def sends(self) -> int:
        """Lines that went to a broker."""
        return sum(map(len, self.sent.values()))


def read_journals(journals: Iterable[Iterable[bytes]]) -> Made:
    """What all agents made.

    Args:
        journals: the lines of each agent's.
    """
    made = Made()
    for lines in journals:
        _read(lines, made)
    return made


def _read(lines: Iterable[bytes], made: Made) -> None:
    # By the id of the outbox's entry, since a new epoch gives an entry another name.
    kept: dict[int, _Row] = {}
    named: dict[int, _Row] = {}
    ended = True
    for line in filter(None, map(bytes.strip, lines)):
        try:
            what, *facts = json.loads(line)
        except ValueError:
            made.torn += 1
            continue
        if what == "life":
            if not ended:
                _killed(named, kept, made)
            ended = False
        elif what == "end":
            ended = True
        elif what == "sent":
            for sent in facts[0].encode().split(b"\n"):
                made.sent[json.loads(sent)["guid"]].append(sent)
        else:
            into = kept if what == "kept" else named
            for number, guid, epoch, seq, temperature in facts[0]:
                into[number] = Name(guid, epoch, seq), temperature
    if not ended:
        _killed(named, kept, made)
    made.temperatures.update({**named, **kept}.values())


def _killed(named: dict[int, _Row], kept: dict[int, _Row], made: Made) -> None:
    """A life ended without a word: what it had not committed is nobody's, ids and all."""
    for number in [number for number in named if number not in kept]:
        del named[number]
        made.uncommitted += 1
