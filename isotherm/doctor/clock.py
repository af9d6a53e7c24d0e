"""The system's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isotherm.doctor.finding import ok, warn

if TYPE_CHECKING:
    from isotherm.doctor.finding import Finding


def check_clock(synced: bool | None, harm: str) -> Finding:  # noqa: FBT001 the fact itself
    """Judge what the kernel says; no program stops at a wrong clock, so at most a warning.

    Kafka's protocol does not tell a broker's time, so there is nothing to compare with.

    Args:
        synced: see `isotherm.kernel_clock.kernel_in_sync`.
        harm: what comes of a wrong clock, to be read after "or".
    """
    if synced:
        return ok("clock", "the kernel says that the clock is in sync")
    if synced is None:
        return warn("clock", "the system does not say whether its clock is in sync")
    return warn(
        "clock",
        "the kernel says that the clock is not in sync; start a time service (chrony, "
        f"systemd-timesyncd), or {harm}",
    )
