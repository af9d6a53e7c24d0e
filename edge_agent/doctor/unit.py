"""The agent as a service of systemd, where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isotherm.doctor.finding import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from isotherm.doctor.finding import Finding

UNIT: Final = "isotherm-agent.service"
# sd_booted(3): so a program sees that systemd is the init.
_BOOTED: Final = Path("/run/systemd/system")
_ASK: Final = ("LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result")
_PATIENCE_S: Final = 10.0


def unit_facts(booted: Path = _BOOTED) -> dict[str, str] | None:
    """What ``systemctl show`` says of our unit; None where there is no systemd to ask."""
    if not booted.is_dir():
        return None
    command = ["systemctl", "show", UNIT, f"--property={','.join(_ASK)}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def check_unit(facts: Mapping[str, str] | None) -> Iterator[Finding]:
    """Judge it; nothing is wrong with a board that starts the agent by other means."""
    if facts is None:
        yield ok("systemd", "no systemd runs here; something else starts the agent")
        return
    if facts.get("LoadState") != "loaded":
        yield warn(
            "systemd",
            f"there is no {UNIT} ({facts.get('LoadState')}): after a reboot nothing starts the "
            "agent, unless you see to it otherwise; the README says how to install it",
        )
        return
    if facts.get("ActiveState") == "failed":
        yield fail(
            "systemd",
            f"{UNIT} has failed ({facts.get('Result')}): journalctl -u {UNIT} says why",
        )
    elif facts.get("ActiveState") != "active":
        yield warn("systemd", f"{UNIT} does not run: systemctl start {UNIT}")
    else:
        yield ok(
            "systemd",
            f"{UNIT} is {facts.get('SubState')}; restarts since it was started: "
            f"{facts.get('NRestarts')}",
        )
    if facts.get("UnitFileState") not in {"enabled", "static", "linked", "alias"}:
        yield warn(
            "systemd boot",
            f"{UNIT} is {facts.get('UnitFileState')}: it does not start at boot; systemctl enable "
            f"{UNIT}",
        )
