"""One part of the pipeline, as `status` shows it, and what its metrics mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.local.state import AGENT, BRIDGE, JOB, PAGE

if TYPE_CHECKING:
    from deploy.local.status.scrape import Samples

UP: Final = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What two looks at a program's metrics said; None where it does not tell.

    Attributes:
        rate: of what it passes on, per second.
        rate_of: what that counts.
        behind: what waits in front of it or in it.
        behind_of: what that counts.
        snapshot_age_s: seconds since its last snapshot.
        trouble: what keeps it from being up though it answers; empty where nothing does.
    """

    rate: float | None = None
    rate_of: str = ""
    behind: float | None = None
    behind_of: str = ""
    snapshot_age_s: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One row of the table.

    Attributes:
        name: such as ``kafka`` or ``bridge``.
        state: ``up``, or what is wrong in a few words.
        pid: None where it was not started.
        since: when it started, seconds since 1970.
        address: where it listens.
        numbers: from its metrics.
        log: its file.
    """

    name: str
    state: str
    pid: int | None = None
    since: float | None = None
    address: str = ""
    numbers: Numbers = Numbers()
    log: str = ""


def numbers(kind: str, before: Samples, after: Samples, seconds: float) -> Numbers:
    """What two looks mean.

    Args:
        kind: of the program; see `deploy.local.state`.
        before: the first look.
        after: the second.
        seconds: between the two.
    """
    if kind == AGENT:
        return Numbers(
            rate=_rate(before, after, seconds, "isotherm_agent_readings_settled_total"),
            rate_of="readings/s",
            behind=_known(after.sum("isotherm_agent_outbox_readings")),
            behind_of="readings wait",
            trouble="" if after.sum("isotherm_agent_mqtt_up") else "no broker",
        )
    if kind == BRIDGE:
        return Numbers(
            rate=_rate(before, after, seconds, "isotherm_bridge_readings_delivered_total"),
            rate_of="readings/s",
            behind=_known(after.sum("isotherm_bridge_messages_in_flight")),
            behind_of="messages in flight",
        )
    if kind == JOB:
        # It reads once in a trigger: between two looks lie none or all of its readings.
        begun = after.sum("isotherm_aggregator_triggers_total")
        return Numbers(
            rate=_known(
                after.sum("isotherm_aggregator_messages", scope="window") if begun else None
            ),
            rate_of="in the last trigger",
            behind=_known(after.sum("isotherm_aggregator_lag_offsets")),
            behind_of="offsets behind",
            snapshot_age_s=_known(after.sum("isotherm_aggregator_snapshot_age_seconds")),
        )
    if kind == PAGE:
        return Numbers(
            rate=_known(after.sum("isotherm_dashboard_streams")),
            rate_of="open pages",
            snapshot_age_s=_known(after.sum("isotherm_dashboard_snapshot_age_seconds")),
        )
    return Numbers()


def _rate(before: Samples, after: Samples, seconds: float, name: str) -> float | None:
    first, last = before.sum(name), after.sum(name)
    if first is None or last is None or seconds <= 0:
        return None
    return max(0.0, last - first) / seconds


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
