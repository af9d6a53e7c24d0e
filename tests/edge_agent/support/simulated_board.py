"""A board of simulated probes, what its outbox holds, and what came of it to a subscriber."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isotherm.contract.verdict import decode
from tests.edge_agent.support.fake_sys import FakeSys
from tests.support import unique

if TYPE_CHECKING:
    from collections.abc import Iterable

PROBES = 20

Name = tuple[str, str, int]
"""(guid, epoch, seq)."""


class Disk(NamedTuple):
    """What an outbox's file says.

    Attributes:
        epoch: in which it names now.
        given: the last number of each guid in it.
        rows: the temperatures that wait, by name.
    """

    epoch: str
    given: dict[str, int]
    rows: dict[Name, float]

    @property
    def named(self) -> set[Name]:
        """All that was ever named in this epoch, and committed."""
        return {
            (guid, self.epoch, n) for guid, last in self.given.items() for n in range(1, last + 1)
        }


class SimulatedBoard:
    """A folder with agent.toml and the outbox; each start of the agent walks another walk.

    Args:
        folder: is made.
        url: of the broker.
        device: its name; a new one if none is given.
        trust: whether it takes its clock as right, whatever the kernel says.
    """

    def __init__(self, folder: Path, url: str, *, device: str = "", trust: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.device = device or unique("board")
        self.outbox = folder / "outbox.db"
        self.sysfs = folder / "sys"
        FakeSys(self.sysfs)
        serial = self.sysfs / "firmware/devicetree/base/serial-number"
        serial.parent.mkdir(parents=True)
        serial.write_text(unique("serial"), encoding="ascii")
        self._trust = "true" if trust else "false"
        self._config = folder / "agent.toml"
        self.connect_to(url)

    def connect_to(self, url: str) -> None:
        """Write the configuration for this broker."""
        probes = "".join(
            f'[[probe]]\nguid = "g{number}"\ndriver = "simulated"\ninterval = "100ms"\n'
            for number in range(PROBES)
        )
        self._config.write_text(
            f'[device]\nid = "{self.device}"\nstate = "CA"\nsysfs = "{self.sysfs}"\n'
            f'[mqtt]\nurl = "{url}"\n'
            f'[outbox]\npath = "{self.outbox}"\ncommit_interval = "150ms"\n'
            f"[clock]\ntrust = {self._trust}\n{probes}",
            encoding="utf-8",
        )

    @property
    def run(self) -> tuple[str, ...]:
        """The arguments of `isotherm-agent`."""
        return ("run", "--config", str(self._config))

    def disk(self) -> Disk:
        """What a start of the agent would find; the file stays as it is."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "outbox.db")
            for side in ("", "-wal"):
                source = Path(f"{self.outbox}{side}")
                if source.exists():
                    shutil.copy(source, f"{copy}{side}")
            connection = sqlite3.connect(copy)
            try:
                facts = dict(connection.execute("SELECT name, value FROM fact"))
                given = dict(connection.execute("SELECT guid, seq FROM sensor"))
                rows = {
                    (guid, epoch.hex(), seq): temperature
                    for guid, epoch, seq, temperature in connection.execute(
                        "SELECT guid, epoch, seq, temperature FROM entry"
                    )
                }
            finally:
                connection.close()
        return Disk(str(facts["epoch"]), given, rows)


class Arrivals:
    """The readings that a subscriber got."""

    def __init__(self, payloads: Iterable[bytes] = ()) -> None:
        self.times: Counter[Name] = Counter()
        self.lines: dict[Name, set[bytes]] = defaultdict(set)
        self._temperatures: dict[Name, float] = {}
        self.by_sensor: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        """(seq, event time, clock) of each guid and epoch, as they came."""
        self.add(payloads)

    def add(self, payloads: Iterable[bytes]) -> None:
        """More of them came."""
        for payload in list(payloads):
            for line in payload.split(b"\n"):
                reading = decode(line)
                origin = reading.origin
                assert origin is not None
                name = (reading.guid, origin.epoch, origin.seq)
                self.times[name] += 1
                self.lines[name].add(line)
                self._temperatures[name] = reading.temperature
                self.by_sensor[name[:2]].append(
                    (origin.seq, reading.event_time, origin.clock.value)
                )

    @property
    def doubled(self) -> int:
        """How many came that had come before."""
        return self.times.total() - len(self.times)

    @property
    def clashes(self) -> int:
        """Names under which more than one thing came."""
        return sum(len(lines) > 1 for lines in self.lines.values())

    def false(self, rows: dict[Name, float]) -> int:
        """Names that have another temperature than on disk."""
        return sum(rows.get(name, came) != came for name, came in self._temperatures.items())
