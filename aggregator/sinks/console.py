"""The console, in two layouts: the reference's blocks, each with a header, or one table."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from aggregator.analytics.scopes import EVENT, SINCE_START
from aggregator.sinks.base import SinkContext, SinkKind
from aggregator.sinks.table import render_table, terminal_width
from aggregator.sinks.words import in_words, left_out_text, span_text
from isotherm.contract.event_time import NS_PER_SECOND
from isotherm.settings.table import choice, setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.snapshot import Snapshot

REFERENCE: Final = "reference"
TABLE: Final = "table"
OFF: Final = "off"

_RULE: Final = "-" * 43


def render(snapshot: Snapshot) -> str:
    """The text of one trigger; times are UTC.

    A trigger without data is one block that says so.
    """
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot.end // NS_PER_SECOND))
    if snapshot.idle:
        return _block(moment, ["No new messages"])
    text = ""
    for scope, analytics in snapshot.scopes.items():
        title = moment
        rejected: Mapping[str, int] | None = snapshot.rejected
        left_out = ""
        if scope == SINCE_START:
            title += "  since start"
            rejected = snapshot.rejected_since_start
        elif snapshot.event_window is not None and scope == EVENT:
            title += f"  {span_text(snapshot.event_window)}"
            # What is no reading has no event time.
            rejected = None
            left_out = left_out_text(snapshot.event_window)
        text += _scope(title, analytics, rejected or {})
        if scope == SINCE_START and snapshot.approximate is not None:
            text += _block(title, [f"Approximate: {in_words(snapshot.approximate)}"])
        if left_out:
            text += _block(title, [left_out])
    return text


def _scope(title: str, analytics: Analytics, rejected: Mapping[str, int]) -> str:
    blocks: list[list[str]] = [
        [str(row) for row in analytics.average_temperature_by_state],
        [f"Total number of messages: {analytics.total_messages}"],
        [str(row) for row in analytics.sensors_by_state],
        [f"Total number of sensors: {analytics.total_sensors}"],
    ]
    if rejected:
        counts = ", ".join(f"{records} {reason}" for reason, records in rejected.items())
        blocks.append([f"Rejected: {counts}"])
    return "".join(_block(title, lines) for lines in blocks)


def _block(title: str, lines: Iterable[str]) -> str:
    return "\n".join([_RULE, f"Time: {title}", _RULE, *lines, "", ""])


@dataclass(frozen=True, kw_only=True)
class ConsoleSettings:
    """The rows of the console."""

    console: str = setting(
        "output.console",
        choice(REFERENCE, TABLE, OFF),
        default=REFERENCE,
        flag="--console",
        metavar="reference|table|off",
        help="How the console shows a trigger: a block for each analytic, or one table.",
    )


class ConsoleSink:
    """People's view.

    Args:
        stream: usually a copy of stdout; closed with the sink.
        render: the text of a snapshot; the default is the reference's layout.
    """

    def __init__(self, stream: TextIO, render: Callable[[Snapshot], str] = render) -> None:
        self._stream = stream
        self._render = render

    def emit(self, snapshot: Snapshot) -> None:
        """Print one trigger."""
        self._stream.write(self._render(snapshot))
        self._stream.flush()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def make(settings: ConsoleSettings, context: SinkContext) -> ConsoleSink | None:
    """The console, on a copy of stdout; None where it is off."""
    if settings.console == OFF:
        return None
    # Unbuffered: a thread that hangs in a buffered stream would abort Python when it ends.
    stream = io.TextIOWrapper(
        io.FileIO(os.dup(context.stdout.fileno()), "w"),
        encoding="utf-8",
        write_through=True,
    )
    return ConsoleSink(stream, _table if settings.console == TABLE else render)


def _table(snapshot: Snapshot) -> str:
    return render_table(snapshot, terminal_width())


SINKS: Final = (SinkKind("console", ConsoleSettings, make),)
