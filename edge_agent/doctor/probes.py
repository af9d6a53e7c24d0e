"""What is to be said of the probes, each read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.probes.temperature import celsius
from isotherm.doctor.finding import fail, ok

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_agent.probes.status import ProbeStatus
    from isotherm.doctor.finding import Finding

MOST_LINES: Final = 20


def check_probes(
    drivers: Mapping[str, str],
    temperatures: Mapping[str, float],
    status: Mapping[str, ProbeStatus],
) -> Iterator[Finding]:
    """Judge what they gave; a board with very many has its good ones in one line.

    Args:
        drivers: of all probes, by guid.
        temperatures: degrees Fahrenheit of those that gave one.
        status: why the others did not.
    """
    bad = [guid for guid in drivers if guid not in temperatures]
    if len(drivers) > MOST_LINES:
        yield ok("probes", f"{len(drivers) - len(bad)} of {len(drivers)} gave a temperature")
    for guid in drivers if len(drivers) <= MOST_LINES else bad[:MOST_LINES]:
        name = f"{guid} ({drivers[guid]})"
        if guid in temperatures:
            degrees = temperatures[guid]
            yield ok("probe", f"{name}: {celsius(degrees):.2f} °C, {degrees:.2f} °F")
            continue
        why = f" ({status[guid].why})" if status[guid].why else ""
        yield fail(
            "probe",
            f"{name}: {status[guid].fault}{why}; see its driver in docs/probes.md for wiring and "
            "faults, and `isotherm-agent probes` for what the board has",
        )
    if len(drivers) > MOST_LINES and len(bad) > MOST_LINES:
        yield fail("probes", f"{len(bad) - MOST_LINES} more have a fault: isotherm-agent read")
