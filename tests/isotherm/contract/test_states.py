from __future__ import annotations

from isotherm.contract.fields import is_temperature
from isotherm.contract.states import MEAN_TEMPERATURE, STATES


def test_there_are_50_states_and_dc() -> None:
    assert len(STATES) == 51
    assert "DC" in STATES
    assert all(len(state) == 2 and state.isascii() and state.isupper() for state in STATES)


def test_they_stand_in_alphabetical_order() -> None:
    assert list(STATES) == sorted(set(STATES))


def test_means_are_temperatures_with_a_margin_for_a_walk() -> None:
    assert all(is_temperature(m - 60) and is_temperature(m + 60) for m in MEAN_TEMPERATURE.values())
    assert max(MEAN_TEMPERATURE, key=MEAN_TEMPERATURE.__getitem__) == "FL"
    assert min(MEAN_TEMPERATURE, key=MEAN_TEMPERATURE.__getitem__) == "AK"
