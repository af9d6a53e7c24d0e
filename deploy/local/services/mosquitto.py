"""mosquitto with our profile; a system service of the same name is never touched."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, ClassVar, Final

from deploy.errors import APT, MissingPartError
from deploy.local.ports import LOOPBACK
from deploy.local.services.base import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGE: Final = "mosquitto"
_PROFILE: Final = Path(__file__).parents[2] / "mosquitto/mosquitto.conf"
_AUTOSAVE_CHANGES: Final = 20_000

# CONNECT: MQTT 3.1.1, clean session, keep-alive 10 s, no client id.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_CONNACK: Final = b"\x20\x02\x00\x00"


class Mosquitto(Service):
    """The MQTT broker of a stack."""

    name: ClassVar[str] = "mosquitto"
    usual_ports: ClassVar[tuple[int, ...]] = (1883,)
    patience: ClassVar[float] = 20.0

    def prepare(self) -> None:
        """Find the program."""
        find_mosquitto()

    def configure(self, *ports: int) -> None:
        """Write its configuration."""
        text = profile(ports[0], self.folder.resolve(), root=os.geteuid() == 0)
        self._config.write_text(text, encoding="utf-8")

    def command(self) -> Sequence[str]:
        """The program and its arguments."""
        return [find_mosquitto(), "-c", str(self._config)]

    def answers(self) -> bool:
        """Ask it over its port whether it serves."""
        return mqtt_answers(self.port)

    def when_ready(self) -> None:
        """Nothing remains to do."""

    @property
    def _config(self) -> Path:
        return self.folder / "mosquitto.conf"


def profile(port: int, folder: Path, *, root: bool) -> str:
    """The configuration; `root`: whether it is started by root."""
    return Template(_PROFILE.read_text(encoding="utf-8")).substitute(
        port=port,
        folder=folder,
        autosave_changes=_AUTOSAVE_CHANGES,
        # Started by root it would become the user mosquitto, who may not write into our folder.
        user="user root" if root else "",
    )


def find_mosquitto(environ: Mapping[str, str] = os.environ) -> str:
    """The program; Debian puts it into a folder that is not on everybody's PATH.

    Raises:
        MissingPartError: it is not installed.
    """
    path = os.pathsep.join([environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    program = shutil.which("mosquitto", path=path)
    if program is None:
        raise MissingPartError(f"mosquitto is not installed: {APT} {PACKAGE}")
    return program


def mqtt_answers(port: int, timeout: float = 2.0) -> bool:
    """Whether an MQTT broker on loopback accepts a connection within `timeout` seconds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout) as link:
            link.sendall(_CONNECT)
            answer = link.recv(4)
            link.sendall(b"\xe0\x00")
    except OSError:
        return False
    return answer == _CONNACK
