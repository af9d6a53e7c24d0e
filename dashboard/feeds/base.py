"""Where snapshots come from, seen from the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from threading import Event

READ_BACK_S = 3600.0
"""How far back a feed begins, seconds: the page shows an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How the feed stands.

    Attributes:
        kind: ``kafka`` or ``file``.
        name: which.
        up: whether snapshots can come.
        why: what keeps them; empty while nothing does.
    """

    kind: str
    name: str
    up: bool = False
    why: str = "it is being looked for"


class Inbox(Protocol):
    """Takes what a feed finds; called in the feed's thread, waits where too much is under way."""

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        """A whole snapshot, oldest first."""

    def broken(self, where: str, why: str) -> None:
        """Something that is none."""

    def source(self, source: Source) -> None:
        """How the feed stands, at each change."""


class Feed(Protocol):
    """Reads snapshots from somewhere, for as long as it takes."""

    @property
    def began(self) -> Source:
        """How it stands before it has looked."""

    def run(self, inbox: Inbox, stop: Event) -> None:
        """Read back what it has of the last hour, then what comes, until `stop` is set."""
