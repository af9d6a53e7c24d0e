"""The agent.toml that `isotherm-agent sample-config` writes."""

from __future__ import annotations

from edge_agent.probes.driver import ProbeSettings
from edge_agent.probes.registry import driver, driver_names
from edge_agent.settings.agent import AgentSettings
from isotherm.settings.table import line, rows, sample


def sample_config() -> str:
    """A commented `agent.toml` that can be used as it is."""
    device = sample(AgentSettings, title="isotherm-agent: what this device is, what it measures")
    kind = driver("simulated").settings
    _, _, probe = sample(kind, title="").partition("\n\n")
    filled = probe.replace("# guid =", 'guid = "0-ZZZ12345678-08K"')
    filled = filled.replace("# driver =", 'driver = "simulated"')
    device = device.replace("# state =", 'state = "CA"')
    return (
        f"{device}\n# One table like this for each probe; `isotherm-agent probes` writes them.\n"
        f"[[probe]]\n{filled}\n{_other_drivers()}"
    )


def _other_drivers() -> str:
    """The keys that only one driver has, out of action."""
    lines = [
        "# The other drivers, with the keys that only they have; docs/probes.md explains them."
    ]
    shared = rows(ProbeSettings)
    for name in driver_names():
        kind = driver(name).settings
        if name != "simulated":
            own = [row for row in rows(kind) if row not in shared]
            lines += [
                "#",
                f'# driver = "{name}"',
                *(f"# {line(row).lstrip('# ')}" for row in own),
            ]
    return "\n".join(lines) + "\n"
