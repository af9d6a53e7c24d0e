"""A number in a small text file."""

from __future__ import annotations

import os
import re
import stat
import time
from typing import TYPE_CHECKING, Final

from edge_agent.probes.fault import Fault, ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.probes.drivers.files._file_age import FileAge

LONGEST: Final = 64
"""Bytes that a number with its white space may have."""
SETTLED: Final = 0.05
"""Seconds in which a program that is writing a number has written the rest of it."""
SHOWN: Final = 32
"""Characters that the log shows of a text that is no number."""
_BOM: Final = b"\xef\xbb\xbf"
# Some programs leave out the zero in front of the point, and some the one behind it.
_NUMBER: Final = re.compile(rb"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
_COMMA: Final = re.compile(rb"\s*[+-]?[0-9]*,[0-9]+\s*")


def read_number(
    path: Path, sleep: Callable[[float], None] = time.sleep, age: FileAge | None = None
) -> float:
    """The number in a file, which holds nothing else.

    A number without a newline at its end may be half a number: it is taken if it is still the same
    a moment later.

    Args:
        path: of the file.
        sleep: waits so many seconds.
        age: checks when it was written; None: the age does not matter.

    Raises:
        ProbeError: it holds no number, or was written too long ago.
        OSError: the file cannot be read.
    """
    text = _content(path, age)
    if not text.endswith(b"\n"):
        sleep(SETTLED)
        later = _content(path, age)
        if later != text and not later.endswith(b"\n"):
            raise ProbeError(Fault.CRC, f"{path} changes while it is read, and no line ends")
        text = later
    found = _NUMBER.fullmatch(text.removeprefix(_BOM))
    if found is None or len(text) > LONGEST:
        raise ProbeError(Fault.CRC, f"{path} {_complaint(text)}")
    return float(found[1])


def _complaint(text: bytes) -> str:
    """What is wrong with a text that is no number, and what it should be."""
    if not text.strip():
        return "is empty: write one number into it"
    if len(text) > LONGEST:
        return f"holds more than {LONGEST} bytes: write one number and nothing else into it"
    shown = text.decode("utf-8", "replace").strip()[:SHOWN]
    if _COMMA.fullmatch(text):
        return f"holds {shown!r}: write the number with a point, as {shown.replace(',', '.')}"
    return f"holds {shown!r}: write one number and nothing else into it, such as 21.5"


def _content(path: Path, age: FileAge | None) -> bytes:
    # A read of a named pipe without a writer would never return.
    with open(path, "rb", buffering=0, opener=_open) as file:
        if age is not None:
            age.look(os.fstat(file.fileno()))
        return file.read(LONGEST + 1) or b""


def _open(name: str, flags: int) -> int:
    descriptor = os.open(name, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise ProbeError(Fault.MISSING, f"{name} is no file but {_kind(mode)}: name a regular file")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"
