"""One conversion for all the sensors of a 1-wire bus: the kernel's ``therm_bulk_read``.

Source: Linux, Documentation/w1/slaves/w1_therm.rst and drivers/w1/slaves/w1_therm.c.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "therm_bulk_read"
TRIGGER: Final = b"trigger\n"
"""The kernel compares the length too: with other than 8 bytes nothing happens."""


class Bulk:
    """Starts the conversions of one bus, for any number of threads.

    A thread that waits for a running conversion of another thread uses its result, and starts none
    of its own: while one runs, the kernel gives an empty file for each sensor.

    Args:
        trigger: the file of the bus master.
    """

    def __init__(self, trigger: Path) -> None:
        self._trigger = trigger
        self._lock = threading.Lock()
        self._ended = 0

    def convert(self) -> bool:
        """Return when all sensors have a new temperature.

        Returns:
            Whether they have; False if the bus has no trigger, or this user may not write to it.

        Raises:
            OSError: the bus master is gone. The kernel does not say whether the sensors answer.
        """
        if not os.access(self._trigger, os.W_OK):
            return False
        ended = self._ended
        with self._lock:
            if ended == self._ended:
                # The write returns when the conversion has ended.
                with self._trigger.open("wb", buffering=0) as file:
                    file.write(TRIGGER)
                self._ended += 1
        return True


@cache
def bulk(master: Path) -> Bulk:
    """The `Bulk` of a bus master, such as ``/sys/devices/w1_bus_master1``."""
    return Bulk(master / FILE)
