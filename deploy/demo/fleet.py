"""A fleet of simulated sensors, as the agent's configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from contract.states import STATES

if TYPE_CHECKING:
    from pathlib import Path

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def guid(number: int) -> str:
    """The name of one sensor: ``0-ZZZ12345678-08K`` and so on, without end."""
    digits, letter = divmod(number, len(_LETTERS))
    return f"0-ZZZ12345678-{digits:02d}{_LETTERS[letter]}"


def fleet_config(sensors: int, mqtt: str, outbox: Path) -> str:
    """An agent.toml with one probe a second for each sensor, spread over the 51 states.

    Args:
        sensors: how many.
        mqtt: the broker's address.
        outbox: where the agent keeps what is not acknowledged.
    """
    parts = [
        "[device]",
        'id = "demo-fleet"',
        'destination = "0-AAA12345678"',
        f'state = "{STATES[0]}"',
        "[mqtt]",
        f"url = {json.dumps(mqtt)}",
        "[outbox]",
        f"path = {json.dumps(str(outbox))}",
        # A container's kernel often does not know that its host's clock is in sync.
        "[clock]",
        "trust = true",
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
