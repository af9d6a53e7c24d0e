"""Ends process groups whose starter is gone, whatever killed it.

Run as a process of its own with a pipe on stdin: a line ``+GROUP`` puts a group under guard, and
``-GROUP`` takes it off. The pipe closes when the starter closes it or dies, even by SIGKILL; then
all groups still under guard are ended. (PR_SET_PDEATHSIG would do for one child, but it is bound
to the thread that forked it, and does not reach what the child itself started.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TextIO

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def groups_left(lines: TextIO) -> set[int]:
    """The groups still under guard when the pipe closes."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def end(groups: set[int], grace: float = GRACE) -> None:
    """Send SIGTERM to each group, and SIGKILL to those that are still there after `grace` s."""
    deadline = time.monotonic() + grace
    alive = {group for group in groups if _signal(group, signal.SIGTERM)}
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = {group for group in alive if _signal(group, 0)}
    for group in alive:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    end(groups_left(sys.stdin))
