"""The random walk of a simulated place's temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

STEP: Final = 1.0
"""The most that one reading differs from the one before, degrees Fahrenheit."""
FIRST: Final = 5.0
"""The most that the first reading differs from the mean, degrees Fahrenheit."""
SPAN: Final = 50.0
"""The walk turns back at the mean ± this. The reference's walk has no bound and would leave the
contract's range after some hundred thousand readings of one sensor."""


def first(mean: float, draw: random.Random) -> float:
    """Where a walk begins, degrees Fahrenheit: the mean ± `FIRST`."""
    # Only random() is promised to give the same numbers in all Python versions.
    return mean + (2.0 * draw.random() - 1.0) * FIRST


def following(temperature: float, mean: float, draw: random.Random) -> float:
    """The temperature after `temperature`, degrees Fahrenheit: at most `STEP` away."""
    step = (2.0 * draw.random() - 1.0) * STEP
    after = temperature + step
    return after if abs(after - mean) <= SPAN else temperature - step


def written(temperature: float) -> float:
    """A temperature as the reference writes it: one decimal, and never -0.0."""
    return round(temperature, 1) + 0.0
