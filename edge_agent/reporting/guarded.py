"""A part that the agent can do without: it never keeps the agent from measuring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from isotherm.log import Problem
from isotherm.tasks import where

if TYPE_CHECKING:
    from collections.abc import Callable

    from isotherm.log import Log

REST: Final = 30.0
"""Seconds for which a part that failed is left alone."""


class Duty(Protocol):
    """Something that wants to be looked after once in a while, in the main loop."""

    def turn(self, now: float) -> float:
        """Do what is due at `now`, seconds of the monotonic clock; never blocks.

        Returns:
            Seconds after which it wants to be called again at the latest.
        """
        ...


class Guard:
    """Keeps parts that the agent can do without from ending it, and counts their failures.

    Args:
        log: see `Guarded`.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often a part has failed."""
        return self._failures

    def part(self, name: str, duty: Duty) -> Guarded:
        """A part, by the name that the log gives it."""
        return Guarded(name, duty, self._log, self._failed)

    def _failed(self) -> None:
        self._failures += 1


class Guarded:
    """A duty whose failures are said once, counted, and go no further.

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
