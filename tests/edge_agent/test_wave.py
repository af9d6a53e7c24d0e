"""The daily wave of a simulated place."""

from __future__ import annotations

import pytest

from edge_agent.wave import UTC_OFFSET, Wave
from isotherm.contract.states import STATES

HOUR = 3_600 * 10**9


def at(state: str, hours: float, *, swing: float = 8.0, day: float = 86_400.0) -> float:
    """The wave so many hours after midnight UTC."""
    return Wave(state, swing=swing, day=day, clock=lambda: int(hours * HOUR))()


def test_every_state_has_its_clock() -> None:
    assert set(UTC_OFFSET) == set(STATES)


@pytest.mark.parametrize(("state", "hours"), (("NY", 20), ("CA", 23), ("HI", 25)))
def test_it_is_warmest_at_three_in_the_afternoon_there(state: str, hours: float) -> None:
    assert at(state, hours) == pytest.approx(8.0)
    assert at(state, hours + 12) == pytest.approx(-8.0)
    assert at(state, hours + 6) == pytest.approx(0.0, abs=1e-6)


def test_a_short_day_turns_as_a_long_one() -> None:
    for hours in (0, 5, 17):
        assert at("CO", hours / 72, day=1_200) == pytest.approx(at("CO", hours))


def test_without_a_swing_it_is_flat() -> None:
    assert at("CO", 3, swing=0.0) == 0.0
