"""What the kernel says of its clock."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TIMEX_BYTES: Final = 512
_TIME_ERROR: Final = 5


def kernel_in_sync() -> bool | None:
    """Whether the kernel knows its clock to be in sync; None where it does not say.

    Setting the clock by hand makes it say no (adjtimex(2)).
    """
    if not sys.platform.startswith("linux"):
        return None
    # All zeros means "change nothing"; the struct has about 200 bytes. See adjtimex(2).
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else bool(state != _TIME_ERROR)
