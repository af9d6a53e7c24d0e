"""Says once that a service is lost, and once that it is back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isotherm.log import Log


class Availability:
    """The last known state of one service.

    Args:
        service: the first word of the log lines, such as ``kafka``.
        log: where changes of state go.
        facts: shown with every line.
    """

    def __init__(self, service: str, log: Log, **facts: object) -> None:
        self._service = service
        self._log = log
        self._facts = facts
        self.available: bool | None = None
        """None before the first answer."""
        self._refusal = ""

    def lost(self, why: str, *, refused: bool = False) -> None:
        """It does not answer; logged at the first time in a row.

        Args:
            why: for people.
            refused: it answers, but refuses us, which a person must fix: logged also where
                it was lost before, once for each reason.
        """
        # The library's own words behind our sentence differ from try to try.
        sentence = why.partition(": ")[0]
        if refused and sentence != self._refusal:
            self._refusal = sentence
            self._log.error(f"{self._service} refuses this bridge", **self._facts, why=why)
        elif self.available is not False:
            event = f"{self._service} lost" if self.available else f"waiting for {self._service}"
            self._log.warning(event, **self._facts, why=why)
        self.available = False

    def back(self, **more: object) -> None:
        """It answers; logged at the first time in a row."""
        if not self.available:
            self._log.info(f"{self._service} connected", **self._facts, **more)
        self.available = True
        self._refusal = ""


class Shared:
    """One service as several see it: one line when the first loses it, one when all have it again.

    Args:
        service, log, facts: see `Availability`.
    """

    def __init__(self, service: str, log: Log, **facts: object) -> None:
        self._whole = Availability(service, log, **facts)
        self._lock = threading.Lock()
        self._members: list[Member] = []

    def member(self) -> Member:
        """The view of one of them."""
        with self._lock:
            self._members.append(Member(self))
            return self._members[-1]

    def lost(self, member: Member, why: str, *, refused: bool) -> None:
        """One of them does not reach it."""
        with self._lock:
            member.available = False
            self._whole.lost(why, refused=refused)

    def back(self, member: Member, **more: object) -> None:
        """One of them reaches it."""
        with self._lock:
            member.available = True
            # Those that are not known yet do not count: a lane may still wait for its MQTT broker.
            if all(each.available is not False for each in self._members):
                self._whole.back(**more)

    def forget(self, member: Member) -> None:
        """One of them has ended, and its view counts no more."""
        with self._lock:
            if member in self._members:
                self._members.remove(member)


class Member(Availability):
    """See `Shared.member`."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.available = None

    def lost(self, why: str, *, refused: bool = False) -> None:
        """See `Availability.lost`."""
        self._shared.lost(self, why, refused=refused)

    def back(self, **more: object) -> None:
        """See `Availability.back`."""
        self._shared.back(self, **more)

    def forget(self) -> None:
        """See `Shared.forget`."""
        self._shared.forget(self)
