"""The unit files that we ship."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/systemd/isotherm-agent.service"


class _Unit(configparser.RawConfigParser):
    """A key may come several times; the last counts, which is enough here."""

    def __init__(self) -> None:
        super().__init__(strict=False)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def test_systemd_waits_for_ready_feeds_on_the_watchdog_and_leaves_time_to_end() -> None:
    unit = _Unit()
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 30
    assert int(service["TimeoutStopSec"]) > 3
    assert service["RestartPreventExitStatus"] == "2"
    assert service["ExecStart"].partition(" ")[2] == "run --config /etc/isotherm/agent.toml"


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    here = UNIT.read_text(encoding="utf-8").replace("/opt/isotherm/bin/isotherm-agent", "/bin/true")
    copy.write_text(here, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
