"""Structured log lines on stderr: one for each change of state, none in quiet operation.

2026-11-24T13:10:20.123Z info  bridge connected mqtt=mqtt://127.0.0.1:1883 session=resumed
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+,%#*[]$")
_LEVELS = {"DEBUG": "debug", "INFO": "info ", "WARNING": "warn ", "ERROR": "error"}


class Log:
    """The log of one program.

    Args:
        program: the first word of each line, such as ``bridge``.

    Attributes:
        program: see above.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self._logger = logging.getLogger(f"isotherm.{program}")

    def debug(self, event: str, **facts: object) -> None:
        """What only a developer wants to see."""
        self._logger.debug(event, extra={"facts": facts})

    def info(self, event: str, **facts: object) -> None:
        """A change of state, such as a connection that came up."""
        self._logger.info(event, extra={"facts": facts})

    def warning(self, event: str, **facts: object) -> None:
        """A state that a person may want to mend; nothing is lost."""
        self._logger.warning(event, extra={"facts": facts})

    def error(self, event: str, **facts: object) -> None:
        """A state that a person must mend."""
        self._logger.error(event, extra={"facts": facts})


class Problem:
    """Something that begins and ends: a log line when it begins, one when it ends, none between.

    For use in one thread, or under a lock of its owner.

    Args:
        say: how the begin is logged, such as ``log.warning``.
        event: the line of the begin; empty where the reason is the line.
        say_over: how the end is logged; None for not at all.
        over: the line of the end.
        facts: shown with both lines.

    Attributes:
        event: see above.
    """

    def __init__(
        self,
        say: Callable[..., None],
        event: str = "",
        say_over: Callable[..., None] | None = None,
        over: str = "",
        /,
        **facts: object,
    ) -> None:
        self._say = say
        self.event = event
        self._say_over = say_over
        self._over = over
        self._facts = facts
        self._reason: object = None
        self._on = False

    def __bool__(self) -> bool:
        """Whether it is there now."""
        return self._on

    @property
    def reason(self) -> str:
        """What it was begun with last; empty while it is not there."""
        return str(self._reason or "") if self._on else ""

    def begin(self, reason: object = None, /, **facts: object) -> None:
        """It is there; a line where it was not, or was for another reason.

        Args:
            reason: compared with the last one.
            facts: shown with this line.
        """
        if self._on and reason == self._reason:
            return
        self._on, self._reason = True, reason
        self._say(self.event or str(reason), **self._facts, **facts)

    def end(self, **facts: object) -> None:
        """It is over; a line if it was there.

        Args:
            facts: shown with this line.
        """
        if self._on and self._say_over is not None:
            self._say_over(self._over, **self._facts, **facts)
        self._on = False


class Problems:
    """Problems of one part, each named by the line of its begin, with how much each concerned.

    Args:
        log: gets a warning at each begin, and one with the count at each end.
        counted: what is counted, such as ``readings``.
    """

    def __init__(self, log: Log, counted: str) -> None:
        self._log = log
        self._counted = counted
        self._all: dict[str, Problem] = {}
        self._counts: dict[str, int] = {}

    def begin(self, event: str, count: int = 0, **facts: object) -> None:
        """It is there, or goes on, and concerns so many more."""
        warning = self._log.warning
        if event not in self._all:
            self._all[event] = Problem(warning, event, warning, f"over: {event}")
        self._all[event].begin(**facts)
        self._counts[event] = self._counts.get(event, 0) + count

    def end(self, event: str) -> None:
        """It is over, if it was there."""
        if event in self._all:
            self._all.pop(event).end(**{self._counted: self._counts.pop(event)})


class Availability:
    """Whether a service answers, as one client of it sees it.

    Args:
        service: the first word of the log lines, such as ``kafka``.
        log: where changes of state go.
        facts: shown with every line.
    """

    def __init__(self, service: str, log: Log, **facts: object) -> None:
        self._service = service
        self._log = log
        self._facts = facts
        self._refused = Problem(log.error, f"{service} refuses this {log.program}", **facts)
        self.available: bool | None = None
        """None before the first answer."""

    def lost(self, why: str, *, refused: bool = False) -> None:
        """It does not answer; logged at the first time in a row.

        Args:
            why: for people.
            refused: it answers, but does not let us in, which a person must mend: logged also where
                it was lost before, once for each reason.
        """
        # The library's own words behind our sentence differ from try to try.
        sentence = why.partition(": ")[0]
        if refused and sentence != self._refused.reason:
            self._refused.begin(sentence, why=why)
        elif self.available is not False:
            event = f"{self._service} lost" if self.available else f"waiting for {self._service}"
            self._log.warning(event, **self._facts, why=why)
        self.available = False

    def back(self, **more: object) -> None:
        """It answers; logged at the first time in a row."""
        if not self.available:
            self._log.info(f"{self._service} connected", **self._facts, **more)
        self.available = True
        self._refused.end()


class SharedAvailability:
    """A service as several clients see it: a line when the first loses it, one when all have it.

    Args:
        service, log, facts: see `Availability`.
    """

    def __init__(self, service: str, log: Log, **facts: object) -> None:
        self._whole = Availability(service, log, **facts)
        self._lock = threading.Lock()
        self._members: list[MemberAvailability] = []

    def member(self) -> MemberAvailability:
        """The view of one client."""
        with self._lock:
            self._members.append(MemberAvailability(self))
            return self._members[-1]

    def lost(self, member: MemberAvailability, why: str, *, refused: bool) -> None:
        """One of them does not reach it."""
        with self._lock:
            member.available = False
            self._whole.lost(why, refused=refused)

    def back(self, member: MemberAvailability, **more: object) -> None:
        """One of them reaches it."""
        with self._lock:
            member.available = True
            # Those that know nothing yet do not count: a lane may still wait for its MQTT broker.
            if all(each.available is not False for each in self._members):
                self._whole.back(**more)

    def forget(self, member: MemberAvailability) -> None:
        """One of them has ended, and its view counts no more."""
        with self._lock:
            if member in self._members:
                self._members.remove(member)


class MemberAvailability(Availability):
    """See `SharedAvailability.member`."""

    def __init__(self, shared: SharedAvailability) -> None:
        self._shared = shared
        self.available = None

    def lost(self, why: str, *, refused: bool = False) -> None:
        """See `Availability.lost`."""
        self._shared.lost(self, why, refused=refused)

    def back(self, **more: object) -> None:
        """See `Availability.back`."""
        self._shared.back(self, **more)

    def forget(self) -> None:
        """See `SharedAvailability.forget`."""
        self._shared.forget(self)


def start_logging(program: str, *, verbose: bool = False, stream: TextIO | None = None) -> Log:
    """Send the program's log, and the warnings of the libraries under it, to a stream.

    Args:
        program: the first word of each line.
        verbose: show debug lines too.
        stream: default stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(program))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("isotherm").setLevel(logging.DEBUG if verbose else logging.INFO)
    return Log(program)


class _Formatter(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        seconds, milliseconds = divmod(int(record.created * 1000), 1000)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        own = record.name.startswith("isotherm.")
        words = [
            f"{moment}.{milliseconds:03d}Z",
            _LEVELS.get(record.levelname, record.levelname.lower()),
            self._program,
            record.getMessage() if own else f"{record.name}: {record.getMessage()}",
        ]
        facts: dict[str, object] = getattr(record, "facts", {})
        words += [f"{key}={_quoted(value)}" for key, value in facts.items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and _PLAIN.issuperset(text):
        return text
    # Devices choose their names: none of them may start a line or steer a terminal.
    return json.dumps(text, ensure_ascii=not text.isprintable())
