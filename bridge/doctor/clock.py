"""The system's clock: dead letters and Kafka's records are stamped with it."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Final

from bridge.doctor.finding import ok, warn

if TYPE_CHECKING:
    from bridge.doctor.finding import Finding

_TIMEX_BYTES: Final = 512
_TIME_ERROR: Final = 5


def ask_clock() -> bool | None:
    """Whether the kernel knows its clock to be in sync; None where it does not say.

    Kafka's protocol does not tell a broker's time, so there is nothing to compare with.
    """
    if not sys.platform.startswith("linux"):
        return None
    # All zeros means "change nothing"; the struct has about 200 bytes. See adjtimex(2).
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else bool(state != _TIME_ERROR)


def check_clock(synced: bool | None) -> Finding:  # noqa: FBT001 the fact itself
    """Judge it; the bridge works with a wrong clock, so at most a warning."""
    if synced:
        return ok("clock", "the kernel says that the clock is in sync")
    if synced is None:
        return warn("clock", "the system does not say whether its clock is in sync")
    return warn(
        "clock",
        "the kernel says that the clock is not in sync; start a time service (chrony, "
        "systemd-timesyncd), or the times in dead letters and Kafka are wrong",
    )
