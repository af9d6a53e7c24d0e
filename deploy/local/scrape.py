"""What a program of ours answers over HTTP on this machine."""

from __future__ import annotations

import http.client
import re
from typing import Final, NamedTuple

from deploy.local.ports import LOOPBACK

_PATIENCE_S: Final = 3.0
_LINE: Final = re.compile(r"([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)", re.IGNORECASE)
_LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Samples:
    """The samples of one look at /metrics.

    Args:
        text: Prometheus' text format, as `contract.exposition` writes it.
    """

    def __init__(self, text: str) -> None:
        self._found: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if found := _LINE.fullmatch(line):
                labels = dict(_LABEL.findall(found[2] or ""))
                self._found.append((found[1], labels, float(found[3])))

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
    """GET a path on loopback; None where nobody answers within 3 s."""
    link = http.client.HTTPConnection(LOOPBACK, port, timeout=_PATIENCE_S)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return Answer(answer.status, answer.read().decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()
