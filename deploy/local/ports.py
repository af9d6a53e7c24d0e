"""Free ports, and who listens on one."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_LOWEST: Final = 15_000
_LISTEN: Final = "0A"


def is_free(port: int) -> bool:
    """Whether a service could listen on a port of the loopback address now."""
    with socket.socket() as probe:
        # Services set it too; without it a port in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(usual: int | None = None, taken: frozenset[int] = frozenset()) -> int:
    """The usual port if there is one and it is free, else a random free one.

    Random ones lie below the range from which the system draws ports for outgoing connections:
    a client that reconnects to a port in that range while its service is down may connect to
    itself, and then the service cannot have its port back.

    Args:
        usual: what to try first, if anything.
        taken: ports that are not to be used though they look free.
    """
    if usual is not None and usual not in taken and is_free(usual):
        return usual
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(_LOWEST, _highest())
        if port not in taken and is_free(port):
            return port


def listens(pid: int, port: int) -> bool:
    """Whether that very process listens on the port, and not another one that came first."""
    sockets = _listening(port)
    try:
        return any(_target(entry) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _listening(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""


def _highest() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        lowest_outgoing = int(text.split()[0])
    except (OSError, ValueError):
        lowest_outgoing = 32_768
    return max(_LOWEST + 1_000, lowest_outgoing)
