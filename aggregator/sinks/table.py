"""The console as one table for each scope, for people: `--console table`."""

from __future__ import annotations

import math
import os
import time
from textwrap import fill
from typing import TYPE_CHECKING, Final

from aggregator.analytics.measures import SHOWN
from aggregator.analytics.scopes import EVENT, SINCE_START
from aggregator.sinks.words import in_words, left_out_text, span_text
from isotherm.contract.event_time import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.analytics.analytics import Analytics
    from aggregator.analytics.snapshot import Snapshot

_FURTHER: Final = "".join(f" {measure.shown.heading:>7}" for measure in SHOWN if measure.shown)
_HEAD: Final = f"{'°F':>10}{_FURTHER} sensors"
_UNKNOWN: Final = "—"
_GAP: Final = "  "
_USUAL: Final = 80


def terminal_width() -> int:
    """The terminal's columns; 80 where there is none. spark-submit stands between it and stdout."""
    if (columns := os.environ.get("COLUMNS", "")).isdigit():
        return int(columns)
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return _USUAL
    try:
        return os.get_terminal_size(terminal).columns
    except OSError:
        return _USUAL
    finally:
        os.close(terminal)


def render_table(snapshot: Snapshot, width: int) -> str:
    """The text of one trigger; times are UTC, temperatures degrees Fahrenheit.

    Args:
        snapshot: of the trigger.
        width: columns of the terminal.
    """
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot.end // NS_PER_SECOND))
    if snapshot.idle:
        return f"{moment}  no new messages\n"
    facts = [moment, f"batch {snapshot.batch_id}", f"computed in {snapshot.trigger_ms} ms"]
    if snapshot.lag:
        facts.append(f"{snapshot.lag:,} offsets behind")
    text = _GAP.join(facts) + "\n"
    for scope, analytics in snapshot.scopes.items():
        name = "this trigger"
        last = _rejected(snapshot.rejected)
        if scope == SINCE_START:
            name = "since start"
            last = _rejected(snapshot.rejected_since_start or {})
        elif snapshot.event_window is not None and scope == EVENT:
            name = span_text(snapshot.event_window)
            last = left_out_text(snapshot.event_window).lower()
        text += _scope(name, analytics, last, width)
        if scope == SINCE_START and snapshot.approximate is not None:
            words = f"approximate: {in_words(snapshot.approximate)}"
            text += fill(words, max(width, _USUAL)) + "\n"
    return text + "\n"


def _rejected(rejected: Mapping[str, int]) -> str:
    counts = ", ".join(f"{records:,} {reason}" for reason, records in rejected.items())
    return f"rejected: {counts}" if counts else ""


def _values(further: Iterable[Mapping[str, float]], state: str) -> str:
    cells = (f"{found[state]:.2f}" if state in found else _UNKNOWN for found in further)
    return "".join(f" {cell:>7}" for cell in cells)


def _scope(name: str, analytics: Analytics, last: str, width: int) -> str:
    title = (
        f"── {name}: {analytics.total_messages:,} messages, {analytics.total_sensors:,} sensors "
    )
    sensors = dict(analytics.sensors_by_state)
    further = [dict(analytics.further.get(measure.field, ())) for measure in SHOWN]
    cells = [
        f"{state} {average:7.2f}{_values(further, state)} {sensors.get(state, 0):>7,}"
        for state, average in analytics.average_temperature_by_state
    ]
    columns = max(1, (width + len(_GAP)) // (len(_HEAD) + len(_GAP)))
    depth = math.ceil(len(cells) / columns)
    # Down the columns, so that the order is read as in a list.
    grid = [_GAP.join(cells[row::depth]) for row in range(depth)]
    heads = min(columns, math.ceil(len(cells) / depth)) if depth else 0
    lines = [title.ljust(width, "─"), _GAP.join([_HEAD] * heads)]
    lines += [*grid, last]
    return "".join(f"{line.rstrip()}\n" for line in lines if line)
