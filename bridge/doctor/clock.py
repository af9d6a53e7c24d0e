"""The system's clock: dead letters and Kafka's records are stamped with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.doctor.finding import ok, warn

if TYPE_CHECKING:
    from bridge.doctor.finding import Finding


def check_clock(synced: bool | None) -> Finding:  # noqa: FBT001 the fact itself
    """Judge what the kernel says; the bridge works with a wrong clock, so at most a warning.

    Kafka's protocol does not tell a broker's time, so there is nothing to compare with.
    """
    if synced:
        return ok("clock", "the kernel says that the clock is in sync")
    if synced is None:
        return warn("clock", "the system does not say whether its clock is in sync")
    return warn(
        "clock",
        "the kernel says that the clock is not in sync; start a time service (chrony, "
        "systemd-timesyncd), or the times in dead letters and Kafka are wrong",
    )
