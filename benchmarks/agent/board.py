"""A board of the benchmark: its folder, its agent.toml, and the agent's commands on it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from deploy.errors import ProgramFailedError
from deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path


class Probe(NamedTuple):
    """One probe.

    Attributes:
        guid: names it.
        interval: as agent.toml has it, such as ``1s``.
        file: what it reads; None for a simulated one.
    """

    guid: str
    interval: str = "1s"
    file: Path | None = None


def agent_toml(device: str, mqtt_port: int, outbox: Path, probes: list[Probe]) -> str:
    """The configuration; all that it does not name has its default."""
    # A benchmark must not wait three minutes for a clock that a container cannot ask about.
    tables = [
        f'[device]\nid = {json.dumps(device)}\nstate = "CA"\n',
        f'[mqtt]\nurl = "mqtt://{LOOPBACK}:{mqtt_port}"\n',
        f"[outbox]\npath = {json.dumps(str(outbox))}\n",
        "[clock]\ntrust = true\n",
    ]
    for probe in probes:
        table = f'[[probe]]\nguid = {json.dumps(probe.guid)}\ninterval = "{probe.interval}"\n'
        if probe.file is None:
            tables.append(f'{table}driver = "simulated"\n')
        else:
            tables.append(f'{table}driver = "file"\npath = {json.dumps(str(probe.file))}\n')
    return "\n".join(tables)


class Board:
    """A folder with an agent's configuration and outbox.

    Args:
        folder: made if it is not there; the device has its name.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.device = folder.name
        self.outbox = folder / "outbox.db"
        self.log = folder / "agent.log"
        self._config = folder / "agent.toml"

    def configure(self, mqtt_port: int, probes: list[Probe]) -> None:
        """Write its agent.toml."""
        text = agent_toml(self.device, mqtt_port, self.outbox, probes)
        self._config.write_text(text, encoding="utf-8")

    @property
    def run(self) -> list[str]:
        """The command that runs the agent."""
        return self._command("run")

    @property
    def started(self) -> bool:
        """Whether its agent has said that it runs; before that its outbox may be half made."""
        return b" started " in self.log.read_bytes()

    def waiting(self) -> list[bytes]:
        """What is in its outbox, a line each.

        Raises:
            ProgramFailedError: it cannot be read.
        """
        return self._ask("export").splitlines()

    def rows(self) -> int:
        """How many readings are in its outbox.

        Raises:
            ProgramFailedError: it cannot be read.
        """
        lines = dict(line.split(b": ", 1) for line in self._ask("status").splitlines())
        return int(lines[b"readings"])

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "edge_agent", *words, "--config", str(self._config)]

    def _ask(self, what: str) -> bytes:
        done = subprocess.run(self._command("outbox", what), capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace")
            raise ProgramFailedError(f"the outbox of {self.device} cannot be read", said)
        return done.stdout
