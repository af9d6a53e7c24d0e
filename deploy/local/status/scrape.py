"""What a program of ours answers over HTTP on this machine."""

from __future__ import annotations

import contextlib
import http.client
import math
import re
import socket
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE_S: Final = 3.0
_MOST_BYTES: Final = 16 << 20
_MOST_LINE: Final = 16_384
"""Characters of a line; a longer one is none of ours."""
_LINE: Final = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)", re.IGNORECASE)
_LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Samples:
    """The samples of one look at /metrics.

    Args:
        text: Prometheus' text format, as `isotherm.http.prometheus` writes it.
    """

    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            found = _LINE.fullmatch(line) if len(line) <= _MOST_LINE else None
            value = None if found is None else _number(found[3])
            if found is not None and value is not None:
                labels = dict(_LABEL.findall(found[2] or ""))
                self._found.append((found[1], labels, value))

    def sum(self, name: str, **labels: str) -> float | None:
        """All samples of a metric that have these labels, added up; None where there is none."""
        values = [
            value
            for known, has, value in self._found
            if known == name and labels.items() <= has.items()
        ]
        return sum(values) if values else None


class Answer(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: str


def ask(port: int, path: str) -> Answer | None:
    """GET a path on loopback; None where nobody answers whole and in bounds within 3 s."""
    link = http.client.HTTPConnection(LOOPBACK, port, timeout=_PATIENCE_S)
    try:
        link.connect()
        with _deadline(link.sock) as late:
            link.request("GET", path)
            answer = link.getresponse()
            body = answer.read(_MOST_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        link.close()
    if late.is_set() or len(body) > _MOST_BYTES:
        return None
    return Answer(answer.status, body.decode("utf-8", "replace"))


@contextlib.contextmanager
def _deadline(sock: socket.socket) -> Iterator[threading.Event]:
    """End the connection after `_PATIENCE_S`: a byte now and then renews the socket's own.

    Gives whether it did so: to the reader it looks like the end of the answer.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_PATIENCE_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _number(text: str) -> float | None:
    """A sample's value; None for what is none, or is beyond what a float holds."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isinf(value) else value
