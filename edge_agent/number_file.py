"""A number in a small text file."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from edge_agent.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST: Final = 64
"""Bytes that a number with its white space may have."""
SETTLED: Final = 0.05
"""Seconds after which a writer that is in the middle of a number has written the rest."""
_NUMBER: Final = re.compile(rb"\s*([+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*")


def read_number(path: Path, sleep: Callable[[float], None] = time.sleep) -> float | Fault:
    """The number in a file, which holds nothing else.

    A number without a newline behind it may be the first half of one: it counts if it is still
    the same a moment later.

    Raises:
        OSError: the file cannot be read.
    """
    text = _content(path)
    if not text.endswith(b"\n"):
        sleep(SETTLED)
        later = _content(path)
        if later != text and not later.endswith(b"\n"):
            return Fault.CRC
        text = later
    found = _NUMBER.fullmatch(text)
    return Fault.CRC if found is None or len(text) > LONGEST else float(found[1])


def _content(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        return file.read(LONGEST + 1)
