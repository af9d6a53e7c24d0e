"""The simulated fleet as configurations of the agent: most of it, and a single board."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.states import STATES

if TYPE_CHECKING:
    from pathlib import Path

DAY: Final = "20m"
"""How long a simulated day takes: an hour of the page shows three."""
SWING: Final = 8.0
"""Degrees Fahrenheit between a day's mean and its warmest hour."""
BOARD: Final = "demo-porch"
BOARD_STATE: Final = "HI"
BOARD_SENSORS: Final = 24
W1_ADDRESS: Final = "28-0316a2791aff"

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DROPS: Final = {"dropouts": 0.3}
_SPIKES: Final = {"spikes": 0.05}
_STICKS: Final = {"stuck_at": 60, "stuck_after": 10}
_MISHAPS: Final[dict[int, dict[str, Any]]] = {97: _DROPS, 211: _SPIKES, 389: _STICKS}
"""What goes wrong with every so-manieth sensor."""


def guid(number: int) -> str:
    """The name of one sensor: ``0-ZZZ12345678-08K`` and so on, without end."""
    digits, letter = divmod(number, len(_LETTERS))
    return f"0-ZZZ12345678-{digits:02d}{_LETTERS[letter]}"


def fleet_config(sensors: int, mqtt: str, outbox: Path) -> str:
    """An agent.toml with one probe a second for each sensor, spread over the 51 states.

    A few fail now and then, spike, or stick after a minute and are silent from then on.

    Args:
        sensors: how many.
        mqtt: the broker's address.
        outbox: where the agent keeps what is not acknowledged.
    """
    parts = [*_head("demo-fleet", STATES[0], mqtt, outbox)]
    for number in range(sensors):
        mishaps = [kind for every, kind in _MISHAPS.items() if number % every == every - 1]
        state = STATES[number % len(STATES)]
        parts += _probe(guid(number), state=state, **(mishaps[0] if mishaps else {}))
    return "\n".join(parts) + "\n"


def board_config(mqtt: str, outbox: Path, sysfs: Path) -> str:
    """An agent.toml of one board: simulated probes, and one on a 1-wire bus.

    Args:
        mqtt: the broker's address as this board reaches it.
        outbox: where it keeps what is not acknowledged.
        sysfs: where its 1-wire bus is; see `deploy.demo.fleet.one_wire`.
    """
    parts = _head(BOARD, BOARD_STATE, mqtt, outbox)
    parts.insert(1, f"sysfs = {json.dumps(str(sysfs))}")
    for number in range(BOARD_SENSORS):
        parts += _probe(f"{BOARD}-{number + 1:02d}")
    parts += ["[[probe]]", f'guid = "{BOARD}-w1"', 'driver = "w1"', 'interval = "1s"']
    parts.append(f'address = "{W1_ADDRESS}"')
    return "\n".join(parts) + "\n"


def _head(device: str, state: str, mqtt: str, outbox: Path) -> list[str]:
    return [
        "[device]",
        f'id = "{device}"',
        'destination = "0-AAA12345678"',
        f'state = "{state}"',
        "[mqtt]",
        f"url = {json.dumps(mqtt)}",
        "[outbox]",
        f"path = {json.dumps(str(outbox))}",
        # A container's kernel often does not know that its host's clock is in sync.
        "[clock]",
        "trust = true",
    ]


def _probe(name: str, **keys: Any) -> list[str]:
    given = {"swing": SWING, "day": DAY, **keys}
    return [
        "[[probe]]",
        f'guid = "{name}"',
        'driver = "simulated"',
        'interval = "1s"',
        *(f"{key} = {json.dumps(value)}" for key, value in given.items()),
    ]
