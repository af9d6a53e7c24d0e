"""Write what the docs take from the code: `python -m docs.write`.

docs/configuration.md and docs/metrics.md are written whole, from the tables of settings and of
metrics; in docs/contract.md and docs/probes.md the tables between their two markers, in
docs/design.md the picture of the rooms. tests/docs/test_docs.py fails while a file differs.
"""

# ruff: noqa: INP001 docs are pages, not a package

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aggregator.monitoring.metrics import METRICS as AGGREGATOR_METRICS
from aggregator.monitoring.metrics import PREFIX as AGGREGATOR_METRICS_PREFIX
from aggregator.settings import PREFIX as AGGREGATOR_PREFIX
from aggregator.settings import AggregatorSettings
from bridge.monitoring.metrics import METRICS as BRIDGE_METRICS
from bridge.monitoring.metrics import PREFIX as BRIDGE_METRICS_PREFIX
from bridge.settings import PREFIX as BRIDGE_PREFIX
from bridge.settings import BridgeSettings
from dashboard.alerts.metrics import ALERT_METRICS
from dashboard.metrics import METRICS as DASHBOARD_METRICS
from dashboard.metrics import PREFIX as DASHBOARD_METRICS_PREFIX
from dashboard.metrics import SERVER_METRICS as DASHBOARD_SERVER_METRICS
from dashboard.settings import PREFIX as DASHBOARD_PREFIX
from dashboard.settings import DashboardSettings
from docs.rooms import picture
from edge_agent.probes.driver import I2cMock, ProbeSettings
from edge_agent.probes.registry import driver, driver_names
from edge_agent.reporting.metrics import METRICS as AGENT_METRICS
from edge_agent.reporting.metrics import PREFIX as AGENT_METRICS_PREFIX
from edge_agent.settings.agent import PREFIX as AGENT_PREFIX
from edge_agent.settings.agent import AgentSettings
from edge_agent.settings.tools import (
    REPLAY_PREFIX,
    SIMULATE_PREFIX,
    ReplaySettings,
    SimulateSettings,
)
from isotherm.contract.fields import FIELDS, GAP_FIELDS, Field
from isotherm.http import prometheus as exposition
from isotherm.mqtt import status
from isotherm.settings.table import REQUIRED, markdown, rows

if TYPE_CHECKING:
    from edge_agent.probes.driver import Driver
    from isotherm.settings.table import Row

DOCS: Final = Path(__file__).parent


class Page(NamedTuple):
    """One table of settings.

    Attributes:
        title: the heading.
        about: a sentence or two under it.
        settings: the class that is the table.
        prefix: of the environment variables.
    """

    title: str
    about: str
    settings: type
    prefix: str


PAGES: Final = (
    Page(
        "isotherm-agent run",
        "`isotherm-agent sample-config` prints an agent.toml to begin with, probes included; "
        "`check-config` reads yours. Probes are tables named `[[probe]]`, which only the file has.",
        AgentSettings,
        AGENT_PREFIX,
    ),
    Page(
        "isotherm-agent replay",
        "Sends a file's lines, byte for byte; flags and environment only.",
        ReplaySettings,
        REPLAY_PREFIX,
    ),
    Page(
        "isotherm-agent simulate",
        "Writes the reference workload to stdout; flags and environment only.",
        SimulateSettings,
        SIMULATE_PREFIX,
    ),
    Page(
        "isotherm-bridge",
        "`isotherm-bridge sample-config` prints a bridge.toml to begin with; `check-config` reads "
        "yours and shows what `run` would use.",
        BridgeSettings,
        BRIDGE_PREFIX,
    ),
    Page(
        "isotherm-aggregator submit, and aggregator/job.py under spark-submit",
        "Both take the same flags; `submit` adds `--master` and `--print`.",
        AggregatorSettings,
        AGGREGATOR_PREFIX,
    ),
    Page(
        "isotherm-dashboard run",
        "`isotherm-dashboard sample-config` prints a dashboard.toml to begin with; `check-config` "
        "reads yours.",
        DashboardSettings,
        DASHBOARD_PREFIX,
    ),
)

HEAD: Final = """\
# Configuration

Every setting can stand in the program's TOML file (`--config FILE`), in the environment, and the
frequent ones on the command line. **A flag beats the environment, the environment beats the file,
the file beats the default.** The dots of a key are the tables of the file: `mqtt.url` is `url` in
the table `[mqtt]`.

An unknown key, or an unknown variable with a program's prefix, is an error: the program names it
with the nearest that exists and ends with code 2. A list is a TOML list in the file, text with
commas in the environment, and a flag given several times. A time span is written `500ms`, `5s`,
`2m`, `1h` or `1d`. Passwords stand in files of their own, never in an address.

This page is written by `python -m docs.write` from the tables that the programs read.
"""


def configuration() -> str:
    """docs/configuration.md."""
    parts = [
        f"## {page.title}\n\n{page.about}\n\n{markdown(page.settings, page.prefix)}"
        for page in PAGES
    ]
    return "\n".join([HEAD, *parts])


METRICS: Final = """\
# Metrics

With `--metrics HOST:PORT` a program answers at `/metrics` in Prometheus' text format. No metric has
a label for a device. Counters begin at 0 with each start. This page is written by
`python -m docs.write` from the tables that the programs export.
"""

METRICS_OF: Final[tuple[tuple[str, str, str, Any], ...]] = (
    (
        "isotherm-agent run",
        "The label `probe` has the probe's guid: a board has few.",
        AGENT_METRICS_PREFIX,
        AGENT_METRICS,
    ),
    (
        "isotherm-bridge run",
        "With several lanes the numbers are their sums.",
        BRIDGE_METRICS_PREFIX,
        BRIDGE_METRICS,
    ),
    (
        "isotherm-aggregator submit, and aggregator/job.py under spark-submit",
        "Sinks are told apart by the label `sink`: console, latest, kafka.",
        AGGREGATOR_METRICS_PREFIX,
        AGGREGATOR_METRICS,
    ),
    (
        "isotherm-dashboard run",
        "It answers at `/metrics` of the page, without `--metrics`.",
        DASHBOARD_METRICS_PREFIX,
        (*DASHBOARD_METRICS, *DASHBOARD_SERVER_METRICS, *ALERT_METRICS),
    ),
)


def metrics() -> str:
    """docs/metrics.md."""
    parts = [
        f"## {title}\n\n{about}\n\n{exposition.markdown(prefix, table)}"
        for title, about, prefix, table in METRICS_OF
    ]
    return "\n".join([METRICS, *parts])


def fields(table: tuple[Field, ...]) -> str:
    """A table of fields."""
    lines = ["| field | JSON type | required | meaning | if not |", "|---|---|---|---|---|"]
    for field in table:
        required = "yes" if field.required else "no, may be null"
        if len(field.path) > 1 and field.path[0] == "origin":
            required = "in an origin"
        reason = "" if field.valid is None else f"`{field.reason}`"
        lines.append(f"| `{field.name}` | {field.kind} | {required} | {field.meaning} | {reason} |")
    return "\n".join(lines) + "\n"


def contract(page: str) -> str:
    """docs/contract.md with its tables as they should be."""
    own_to_gaps = tuple(field for field in GAP_FIELDS if field not in FIELDS)
    tables = {
        "fields": fields(FIELDS),
        "gap fields": fields(own_to_gaps),
        "status": status.markdown(),
    }
    for block, table in tables.items():
        begin = f"<!-- {block}: written by docs/write.py -->\n"
        end = f"<!-- end of {block} -->\n"
        before, _, rest = page.partition(begin)
        page = before + begin + table + end + rest.partition(end)[2]
    return page


EVERY_PROBE: Final = "every probe"


def keys(settings: type[ProbeSettings]) -> str:
    """The table of a driver's keys, without those that it shares with all probes."""
    shared = set() if settings is ProbeSettings else set(map(_key, rows(ProbeSettings)))
    lines = ["| key | default | meaning |", "|---|---|---|"]
    return "\n".join(lines + [line for line in map(_key, rows(settings)) if line not in shared])


def _key(row: Row) -> str:
    default = "required" if row.default is REQUIRED else ""
    if not default and row.default is not None:
        default = f"`{json.dumps(row.default)}`"
    return f"| `{row.key}` | {default} | {row.help} |"


def drivers() -> str:
    """The table of all drivers."""
    lines = [
        "| driver | what it reads | `isotherm-agent probes` looks for it | on the mock board |",
        "|---|---|---|---|",
    ]
    for name in driver_names():
        kind = driver(name)
        about = (kind.settings.__doc__ or "").partition("\n")[0]
        looked_for = "no" if kind.find is None else "yes"
        lines.append(f"| [`{name}`](#{name}) | {about} | {looked_for} | {_mock(kind)} |")
    return "\n".join(lines)


def _mock(kind: Driver) -> str:
    if kind.mock is None:
        return ""
    if isinstance(kind.mock, I2cMock):
        return f"I2C {kind.mock.address:#04x}"
    return f"SPI {kind.mock.select}"


def probes(page: str) -> str:
    """docs/probes.md with its tables as they should be, where it has markers for them."""
    settings = {EVERY_PROBE: ProbeSettings} | {
        name: driver(name).settings for name in driver_names()
    }
    tables = {f"keys of {name}": keys(kind) for name, kind in settings.items()}
    for block, table in {"drivers": drivers(), **tables}.items():
        begin = f"<!-- {block}: written by docs/write.py -->\n"
        end = f"<!-- end of {block.partition(' ')[0]} -->"
        before, marker, rest = page.partition(begin)
        if marker:
            page = f"{before}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}"
    return page


def design(page: str) -> str:
    """docs/design.md with the picture of the rooms as they are."""
    begin = "<!-- rooms: written by docs/write.py -->\n"
    end = "<!-- end of rooms -->\n"
    before, _, rest = page.partition(begin)
    return before + begin + picture() + end + rest.partition(end)[2]


def main() -> None:
    """Write all of them."""
    (DOCS / "metrics.md").write_text(metrics(), encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration(), encoding="utf-8")
    for name, write in (("contract.md", contract), ("probes.md", probes), ("design.md", design)):
        page = DOCS / name
        page.write_text(write(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
