"""A part that the agent can do without: it never keeps the agent from measuring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from isotherm.log import Problem
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.board import Duty
    from isotherm.log import Log

REST: Final = 30.0
"""Seconds for which a part that failed is left alone."""


class Guarded:
    """A duty of the board whose failures are said once, counted, and go no further.

    Args:
        name: of the part, for the log.
        duty: the part.
        log: an error line when it begins to fail, and a line when it works again.
        failed: told of each failure; for a metric.
    """

    def __init__(self, name: str, duty: Duty, log: Log, failed: Callable[[], None]) -> None:
        self._duty = duty
        self._failed = failed
        fails = "a part of the agent fails"
        self._fault = Problem(log.error, fails, log.warning, f"over: {fails}", part=name)
        self._until = 0.0

    def turn(self, now: float) -> float:
        """Let the part do what is due, or rest; seconds until it wants its turn again."""
        if now < self._until:
            return self._until - now
        wait = REST

        def do() -> None:
            nonlocal wait
            wait = self._duty.turn(now)

        if not self.do(do):
            self._until = now + REST
        return wait

    def do(self, what: Callable[[], None]) -> bool:
        """Do something of the part's; whether it went well."""
        try:
            what()
        except Exception as error:  # noqa: BLE001 whatever it is, readings go on
            self._failed()
            self._fault.begin(why=where(error))
            return False
        self._fault.end()
        return True


class Idle:
    """A duty that there is none of."""

    def turn(self, _now: float) -> float:
        """Nothing is ever due."""
        return math.inf
