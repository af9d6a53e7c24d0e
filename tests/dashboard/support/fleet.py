"""Snapshots of a fleet for tests of the page, written as the job writes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aggregator.analytics.analytics import Analytics
from aggregator.analytics.audit import Audit, EventTime
from aggregator.analytics.sensor_lists import Moved, Offline, Silent
from aggregator.analytics.snapshot import Snapshot, to_json
from isotherm.contract.event_time import format_event_time
from isotherm.contract.states import MEAN_TEMPERATURE, STATES

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

NS: Final = 10**9
WITHOUT: Final = "WY"
"""The state of which the last trigger of a usual snapshot has nothing."""


def snapshot(
    batch: int,
    *,
    warmer: float = 0.0,
    ago: float = 0.0,
    without: Collection[str] = (WITHOUT,),
    idle: bool = False,
) -> Snapshot:
    """A trigger of a fleet in all states.

    Args:
        batch: its number.
        warmer: degrees Fahrenheit added to every state of the last trigger.
        ago: how old it is, seconds.
        without: states that are silent in the last trigger; the scope since the start has them.
        idle: whether nothing came at all.
    """
    end = time.time_ns() - round(ago * NS)
    heard = [] if idle else [state for state in STATES if state not in without]
    silent = Silent(
        guid="probe-in-wyoming",
        state=WITHOUT,
        last_seen=format_event_time(end - 400 * NS),
        last_event=format_event_time(end - 401 * NS),
    )
    late = EventTime(min=format_event_time(end - 60 * NS), max=format_event_time(end), late=6)
    return Snapshot(
        query_id="7d1c4f3e-1a52-4c8f-9a0b-3f5f0f8b7a11",
        batch_id=batch,
        start=end - 3 * NS,
        end=end,
        idle=idle,
        scopes={
            "window": analytics(heard, warmer, messages=31_204 + batch),
            "since_start": analytics(STATES, 0.0, messages=14_208_337 + batch),
        },
        audit=Audit(expected=31_207, received=31_204, missing=3, duplicated=12, unsynced=9),
        audit_since_start=Audit(
            expected=14_212_611,
            received=14_212_548,
            gaps=5,
            missing=23,
            explained=40,
            duplicated=4_211,
            unsynced=309,
        ),
        rejected={"not_json": 2},
        rejected_since_start={"not_json": 210, "bad_temperature": 77, "too_large": 3},
        event_time=late,
        event_time_since_start=late,
        moved=Moved(),
        moved_since_start=Moved(total=1, sensors=(("walker", ("CA", "NV")),)),
        offline=Offline(total=14, by_state=(("CA", 11), (WITHOUT, 3)), sensors=(silent,)),
        lag=707,
        trigger_ms=842,
    )


def analytics(states: Collection[str], warmer: float, *, messages: int) -> Analytics:
    """The mean annual temperatures of some states, each with its own number of sensors."""
    # Python and browsers round a half differently, so there is none.
    averages = {state: MEAN_TEMPERATURE[state] + 0.0123 + warmer for state in states}
    sensors = {state: 3 + STATES.index(state) for state in states}
    return Analytics(
        average_temperature_by_state=tuple(
            sorted(averages.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
        total_messages=messages,
        sensors_by_state=tuple(sensors.items()),
        total_sensors=sum(sensors.values()),
        further={
            "minimum_temperature_by_state": tuple((s, t - 12.5) for s, t in averages.items()),
            "maximum_temperature_by_state": tuple((s, t + 9.5) for s, t in averages.items()),
        },
    )


def append(file: Path, *snapshots: Snapshot) -> None:
    """Write snapshots at a file's end, each in one line."""
    with file.open("a", encoding="utf-8") as out:
        out.writelines(to_json(one) + "\n" for one in snapshots)
