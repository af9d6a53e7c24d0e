"""A mosquitto with a line more in its configuration, and a board of probes in front of it."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from deploy.local.services.mosquitto import Mosquitto
from isotherm.contract.verdict import decode
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.brokers import running
from tests.support import unique

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[Mosquitto]:
    """A broker whose first listener has these lines too."""

    class Odd(Mosquitto):
        def answers(self) -> bool:
            """A refusal is an answer too."""
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return True
            return False

        def configure(self, *ports: int) -> None:
            super().configure(*ports)
            text = self._config.read_text(encoding="utf-8")
            head, found, tail = text.partition("listener ")
            assert found
            listener, _, rest = tail.partition("\n")
            given = {line.split()[0] for line in lines}
            kept = [line for line in rest.split("\n") if (line.split() or [""])[0] not in given]
            rest = "\n".join(kept)
            # Options of a listener follow it; those of the broker may stand anywhere.
            self._config.write_text(
                "\n".join([f"{head}listener {listener}", *lines, rest]), encoding="utf-8"
            )

    with running(Odd, folder) as broker:
        yield broker


class Board:
    """A folder with agent.toml and the outbox.

    Args:
        folder: is made.
        url: of the broker.
        probes: how many.
        interval: between two readings of each.
        more: lines of its section ``[mqtt]``.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        probes: int,
        interval: str = "100ms",
        more: str = "",
        device: str = "",
    ) -> None:
        folder.mkdir(exist_ok=True, parents=True)
        self.device = device or unique("odd")
        self.folder = folder
        self.outbox = folder / "outbox.db"
        self.file = folder / "agent.toml"
        tables = "".join(
            f'[[probe]]\nguid = "g{number}"\ndriver = "simulated"\ninterval = "{interval}"\n'
            for number in range(probes)
        )
        self.file.write_text(
            f'[device]\nid = "{self.device}"\nstate = "CA"\ndestination = "d"\n'
            f'[mqtt]\nurl = "{url}"\n{more}\n'
            f'[outbox]\npath = "{self.outbox}"\ncommit_interval = "50ms"\n'
            f"[clock]\ntrust = true\n{tables}"
        )

    @property
    def topic(self) -> str:
        return readings_topic(self.device)

    @property
    def run(self) -> tuple[str, ...]:
        return ("edge_agent", "run", "--config", str(self.file))


def seqs(payloads: Iterable[bytes]) -> dict[tuple[str, str], list[int]]:
    """The numbers that came, by guid and epoch, in the order in which they came."""
    found: dict[tuple[str, str], list[int]] = {}
    for payload in list(payloads):
        for line in payload.split(b"\n"):
            reading = decode(line)
            assert reading.origin is not None
            found.setdefault((reading.guid, reading.origin.epoch), []).append(reading.origin.seq)
    return found
