"""Half a request on each of many connections, as a program of its own.

    python -m tests.faults.chaos.half_open EACH SECONDS PORT...

Of its own, since paho's select() in the runner fails above 1,023 open files.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

from deploy.local.ports import LOOPBACK


def hold(each: int, seconds: float, ports: list[int]) -> None:
    """Open so many connections to each port, and hold them."""
    with contextlib.ExitStack() as links:
        for port in ports:
            # It may be down right now, or defend itself.
            with contextlib.suppress(OSError):
                for _ in range(each):
                    link = socket.create_connection((LOOPBACK, port), 2)
                    links.enter_context(link)
                    link.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1")
        time.sleep(seconds)


if __name__ == "__main__":
    hold(int(sys.argv[1]), float(sys.argv[2]), [int(port) for port in sys.argv[3:]])
