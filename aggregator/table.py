"""The console as one table for each scope, for people: `--console table`."""

from __future__ import annotations

import math
import os
import time
from textwrap import fill
from typing import TYPE_CHECKING, Final

from aggregator.console import in_words
from aggregator.settings import SINCE_START
from contract.moment import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.analytics import Analytics
    from aggregator.snapshot import Snapshot

_HEAD: Final = f"{'°F':>10} sensors"
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
        since_start = scope == SINCE_START
        rejected = snapshot.rejected_since_start if since_start else snapshot.rejected
        name = "since start" if since_start else "this trigger"
        text += _scope(name, analytics, rejected or {}, width)
        if since_start and snapshot.approximate is not None:
            text += (
                fill(f"approximate: {in_words(snapshot.approximate)}", max(width, _USUAL)) + "\n"
            )
    return text + "\n"


def _scope(name: str, analytics: Analytics, rejected: Mapping[str, int], width: int) -> str:
    title = (
        f"── {name}: {analytics.total_messages:,} messages, {analytics.total_sensors:,} sensors "
    )
    sensors = dict(analytics.sensors_by_state)
    cells = [
        f"{state} {average:7.2f} {sensors.get(state, 0):>7,}"
        for state, average in analytics.average_temperature_by_state
    ]
    columns = max(1, (width + len(_GAP)) // (len(_HEAD) + len(_GAP)))
    depth = math.ceil(len(cells) / columns)
    # Down the columns, so that the order is read as in a list.
    grid = [_GAP.join(cells[row::depth]) for row in range(depth)]
    heads = min(columns, math.ceil(len(cells) / depth)) if depth else 0
    lines = [title.ljust(width, "─"), _GAP.join([_HEAD] * heads)]
    lines += grid
    if rejected:
        counts = ", ".join(f"{records:,} {reason}" for reason, records in rejected.items())
        lines.append(f"rejected: {counts}")
    return "".join(f"{line.rstrip()}\n" for line in lines if line)
