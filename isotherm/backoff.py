"""How long to wait before trying again: exponential with full jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays that grow, so that many clients do not come back in step.

    "Full jitter" of AWS's "Exponential Backoff And Jitter" (2015), with a floor: the nth delay is
    drawn between `first` and min(`first` · 2ⁿ, `longest`).

    Args:
        first: the shortest delay, seconds.
        longest: the bound of all delays, seconds.
        draw: a source of randomness; a test passes a seeded one.
    """

    first: float = 0.2
    longest: float = 30.0
    draw: random.Random = field(default_factory=random.Random)
    _tries: int = 0

    def next(self) -> float:
        """The next delay, seconds."""
        self._tries += 1
        # 2**64 s is past any bound; the cap keeps the float finite after a week of tries.
        ceiling = min(self.longest, self.first * 2.0 ** min(self._tries, 64))
        return self.draw.uniform(self.first, max(self.first, ceiling))

    def reset(self) -> None:
        """Begin again at the shortest delay: it worked."""
        self._tries = 0
