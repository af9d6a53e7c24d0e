"""A fleet of simulated sensors, as the agent's configuration."""

from __future__ import annotations

import json

from contract.states import STATES

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def guid(number: int) -> str:
    """The name of one sensor: ``0-ZZZ12345678-08K`` and so on, without end."""
    digits, letter = divmod(number, len(_LETTERS))
    return f"0-ZZZ12345678-{digits:02d}{_LETTERS[letter]}"


def fleet_config(sensors: int, mqtt: str) -> str:
    """An agent.toml with one probe a second for each sensor, spread over the 51 states.

    Args:
        sensors: how many.
        mqtt: the broker's address.
    """
    parts = [
        "[device]",
        'id = "demo-fleet"',
        'destination = "0-AAA12345678"',
        f'state = "{STATES[0]}"',
        "[mqtt]",
        f"url = {json.dumps(mqtt)}",
    ]
    for number in range(sensors):
        parts += [
            "[[probe]]",
            f'guid = "{guid(number)}"',
            'driver = "simulated"',
            'interval = "1s"',
            f'state = "{STATES[number % len(STATES)]}"',
        ]
    return "\n".join(parts) + "\n"
