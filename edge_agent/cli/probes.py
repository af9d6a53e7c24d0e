"""The commands about probes: what the board has, and what each configured one gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_agent.settings.agent import PREFIX, AgentSettings, agent_file, load_agent
from isotherm.errors import EXIT_FINE, EXIT_OTHER
from isotherm.settings.table import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.probes.status import ProbeStatus


@click.command()
@click.option("--config", metavar="FILE", help="agent.toml, if device.sysfs stands there.")
def probes(config: str | None) -> None:
    """List the probes of this board, as [[probe]] tables to paste into agent.toml.

    Chips on I2C are looked for by reading the addresses that ours can have. Change each guid: it
    names the sensor for ever.
    """
    from edge_agent.probes.mocks import spi_mocks  # noqa: PLC0415 the same
    from edge_agent.probes.scan import scan  # noqa: PLC0415 the same
    from edge_agent.sampling.places import hardware_of  # noqa: PLC0415 only where it is needed

    tables: dict[str, Any] = {} if config is None else agent_file(config)
    tables.pop("probe", None)
    settings = load(AgentSettings, PREFIX, file=tables, environ=os.environ)
    # All buses of the mock board are the same one; sysfs shows none of its chips.
    mock = settings.hardware == "mock"
    found, notes = scan(
        Path(settings.sysfs),
        [1] if mock else None,
        hardware_of(settings),
        spi_selects=sorted(spi_mocks()) if mock else None,
    )
    for note in notes:
        print(f"# {note}")
    if not any(one.candidate.sure for one in found):
        print("# no probe found; docs/probes.md says how each is wired and switched on")
    for number, one in enumerate(found, 1):
        print("\n" + one.table(f"{settings.client_id}-{number}"), end="")


@click.command()
@click.option("--config", metavar="FILE", help="agent.toml; see sample-config.")
def read(config: str | None) -> int:
    """Read each configured probe once, all at the same time, and print what they give.

    Exit code 0: each gave a temperature. 1: at least one has a fault.
    """
    from edge_agent.sampling.places import places  # noqa: PLC0415 only where it is needed
    from edge_agent.sampling.read_all import read_all  # noqa: PLC0415 the same

    settings = load_agent(agent_file(config), os.environ)
    samples, status = read_all(places(settings))
    temperatures = {sample.guid: sample.temperature for sample in samples}
    drivers = {probe.guid: probe.driver for probe in settings.probes}
    print(table(drivers, temperatures, status))
    return EXIT_FINE if len(temperatures) == len(status) else EXIT_OTHER


def table(
    drivers: dict[str, str], temperatures: dict[str, float], status: dict[str, ProbeStatus]
) -> str:
    """What the probes gave, in columns; temperatures in degrees Fahrenheit, all by guid."""
    from edge_agent.probes.temperature import celsius  # noqa: PLC0415 only where it is needed

    lines = [("guid", "driver", "°C", "°F", "fault")]
    for guid, driver in drivers.items():
        if guid in temperatures:
            degrees = temperatures[guid]
            lines.append((guid, driver, f"{celsius(degrees):.2f}", f"{degrees:.2f}", ""))
        else:
            fault, why = status[guid].fault, status[guid].why
            lines.append((guid, driver, "-", "-", f"{fault}: {why}" if why else str(fault)))
    return "\n".join(_columns(lines))


def _columns(lines: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        guid, driver, *degrees, fault = line
        numbers = [cell.rjust(width) for cell, width in zip(degrees, widths[2:4], strict=True)]
        words = [guid.ljust(widths[0]), driver.ljust(widths[1])]
        yield "  ".join([*words, *numbers, fault]).rstrip()
