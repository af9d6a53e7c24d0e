"""Structured log lines on stderr: one for each change of state, none in quiet operation.

2026-11-24T13:10:20.123Z info  bridge connected mqtt=mqtt://127.0.0.1:1883 session=resumed
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+,%#*[]$")
_LEVELS = {"DEBUG": "debug", "INFO": "info ", "WARNING": "warn ", "ERROR": "error"}


class Log:
    """The log of one program.

    Args:
        program: the first word of each line, such as ``bridge``.
    """

    def __init__(self, program: str) -> None:
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
