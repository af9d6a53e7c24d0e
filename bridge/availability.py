"""Says once that a service is lost, and once that it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contract.log import Log


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
            refused: it answers, but will not have us, which a person must mend: logged also where
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
