"""How much the outbox may hold: rows, bytes, and what the disk must keep free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FEWEST_ROWS: Final = 1_000
"""So many may always wait: more than one packet holds, so that a whole one fits."""
EASE: Final = 0.9
"""A bound in bytes is over when so much of it is used: no flapping at the bound itself."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a person chose.

    Attributes:
        max_rows: readings and gaps.
        max_bytes: of the file's used part.
        min_free_bytes: that stay free on the disk for others; the file grows no more below that.
        memory_rows: readings while the disk does not serve.
    """

    max_rows: int
    max_bytes: int
    min_free_bytes: int
    memory_rows: int = 10_000


class Room:
    """Turns all bounds into one of rows.

    Args:
        bounds: what a person chose.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.rows = bounds.max_rows
        self.why = "outbox.max_rows"

    def measure(self, *, rows: int, used: int, free: int | None) -> None:
        """Learn what a commit found.

        Args:
            rows: in the outbox.
            used: bytes of the file.
            free: bytes of the disk; None where it is not known.
        """
        bounds = self.bounds
        if used > bounds.max_bytes:
            fit = max(FEWEST_ROWS, rows * bounds.max_bytes // used)
            self.rows, self.why = min(self.rows, fit), "outbox.max_bytes"
        elif free is not None and free < bounds.min_free_bytes:
            if self.why != "outbox.min_free_bytes":
                self.rows = min(self.rows, max(FEWEST_ROWS, rows))
            self.why = "outbox.min_free_bytes"
        elif self.why != "outbox.max_bytes" or used < EASE * bounds.max_bytes:
            self.rows, self.why = bounds.max_rows, "outbox.max_rows"
