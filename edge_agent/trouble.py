"""Troubles: each is told once when it begins, and once, with its extent, when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isotherm.log import Log


class Troubles:
    """What is wrong at the moment.

    Args:
        log: gets a line at each beginning and each end.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._extent: dict[str, int] = {}

    def begin(self, trouble: str, readings: int = 0, **facts: object) -> None:
        """It is there, or goes on, and concerns so many readings more."""
        if trouble not in self._extent:
            self._log.warning(trouble, **facts)
        self._extent[trouble] = self._extent.get(trouble, 0) + readings

    def end(self, trouble: str) -> None:
        """It is over, if it was there."""
        readings = self._extent.pop(trouble, None)
        if readings is not None:
            self._log.warning(f"over: {trouble}", readings=readings)
