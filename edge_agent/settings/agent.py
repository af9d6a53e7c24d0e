"""The agent's settings: the table behind `agent.toml`, the environment, `--help` and the sample."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_agent.mqtt.options import check
from edge_agent.mqtt.publisher import WINDOW
from edge_agent.outbox.overflow.policy import FEWEST_ROWS, Overflow
from edge_agent.parsers import (
    MAX_WINDOW,
    URL_HELP,
    device_id,
    discovery_prefix,
    mqtt_url,
    proxy_url,
    rate,
    state,
)
from edge_agent.probes.registry import driver
from edge_agent.probes.simulation import DESTINATION
from isotherm.errors import SettingsError
from isotherm.mqtt.settings import mqtt_setting
from isotherm.mqtt.topics import is_device
from isotherm.settings.address import host_names, listen_address
from isotherm.settings.table import (
    boolean,
    choice,
    duration,
    load,
    optional,
    read_file,
    rows,
    setting,
    span,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.probes.driver import ProbeSettings
    from isotherm.settings.address import Address

PREFIX: Final = "ISOTHERM_AGENT"

LIVE: Final = frozenset({"device.state"})
"""Keys that a SIGHUP changes in a running agent, beside all of the probes'."""

PROBE_FIX: Final = (
    "add at least one [[probe]] table with guid and driver, as `isotherm-agent sample-config` does"
)


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """What `isotherm-agent run` needs to know."""

    device: str | None = setting(
        "device.id",
        optional(device_id),
        default=None,
        help="MQTT client id and part of the topic; the host's name if not set. One device each.",
    )
    state: str | None = setting(
        "device.state",
        optional(state),
        default=None,
        help='Where the device is: one of the 51 codes, such as "CA". A probe may say otherwise.',
    )
    destination: str = setting(
        "device.destination", text, default=DESTINATION, help="Whom the readings are for."
    )
    sysfs: str = setting("device.sysfs", text, default="/sys", help="Where the kernel's sysfs is.")
    hardware: str = setting(
        "device.hardware",
        choice("real", "mock"),
        default="real",
        help="Whether I2C and SPI are the board's own, or mocks for trying things without it.",
    )
    mqtt: Address = mqtt_setting(
        "url", flag="--mqtt", parse=mqtt_url, help=URL_HELP, default="mqtt://127.0.0.1:1883"
    )
    version: str = setting(
        "mqtt.version",
        choice("auto", "5", "3.1.1"),
        default="auto",
        help="MQTT version; auto takes 3.1.1 where the broker does not speak 5. 3.1.1 does not say "
        "whether anybody gets a reading.",
    )
    proxy: Address | None = setting(
        "mqtt.proxy",
        optional(proxy_url),
        default=None,
        help="What to connect through: http://host[:port], socks5:// or socks4://; needs PySocks.",
    )
    username: str | None = mqtt_setting("username")
    password_file: str | None = mqtt_setting("password_file")
    ca_file: str | None = mqtt_setting("ca_file")
    cert_file: str | None = mqtt_setting("cert_file")
    key_file: str | None = mqtt_setting("key_file")
    keepalive: float = setting(
        "mqtt.keepalive",
        span(5, 3600),
        default="30s",
        help="A silent broker is asked for a sign of life after this time, and given up half as "
        "long after that.",
    )
    window: int = setting(
        "mqtt.window",
        whole(1, MAX_WINDOW),
        default=WINDOW,
        help="Messages under way at once; the broker's Receive Maximum may make it fewer.",
    )
    status_interval: float = setting(
        "mqtt.status_interval",
        span(5, 86_400),
        default="60s",
        help="Time between two statuses at most; a change of state is told at once.",
    )
    home_assistant: str | None = setting(
        "mqtt.home_assistant",
        discovery_prefix,
        default=False,
        help="true has Home Assistant find the probes; a text is its discovery prefix, if that is "
        "not homeassistant.",
    )
    metrics: Address | None = setting(
        "agent.metrics",
        optional(listen_address),
        default=None,
        help="Where to answer /metrics and /healthz over HTTP, such as 127.0.0.1:9465.",
        flag="--metrics",
        metavar="HOST:PORT",
    )
    metrics_hosts: str | None = setting(
        "agent.metrics_hosts",
        optional(host_names),
        default=None,
        help="Names, with commas between them, by which /metrics may be asked beside IP addresses, "
        "localhost, and where it listens beyond loopback the machine's own name and names without "
        "a dot.",
    )
    outbox: str = setting(
        "outbox.path",
        text,
        default="outbox.db",
        help="The file in which readings wait for the broker; a relative path begins where the "
        "agent is started.",
    )
    max_rows: int = setting(
        "outbox.max_rows",
        whole(FEWEST_ROWS, 100_000_000),
        default=1_000_000,
        help="Readings that may wait, some 150 bytes each.",
    )
    max_bytes: int = setting(
        "outbox.max_bytes",
        whole(1 << 20, 1 << 40),
        default=256 << 20,
        help="Bytes that the file may take.",
    )
    min_free_bytes: int = setting(
        "outbox.min_free_bytes",
        whole(0, 1 << 40),
        default=64 << 20,
        help="Bytes that stay free on the disk for others.",
    )
    overflow: str = setting(
        "outbox.overflow",
        choice(*Overflow),
        default="drop_oldest",
        help="What a full outbox drops: drop_oldest, drop_newest, or thin, which takes every "
        "second reading, oldest first. What it drops is told downstream as a gap.",
    )
    commit_interval: float = setting(
        "outbox.commit_interval",
        duration,
        default="1s",
        help="Time between two commits to disk; what came since the last is lost at a power cut.",
    )
    backfill_rate: float = setting(
        "outbox.backfill_rate",
        rate,
        default=20_000,
        help="Readings per second of the backlog that are sent beside the live ones.",
    )
    clock_wait: float = setting(
        "clock.wait",
        duration,
        default="3m",
        help="How long readings wait after the start for the system clock to be in sync, so that "
        "their time can be corrected; then they go out as unsynced.",
    )
    clock_trust: bool = setting(
        "clock.trust",
        boolean,
        default=False,
        help="Take the system clock as right, whatever the kernel says of it.",
    )
    probes: tuple[ProbeSettings, ...] = ()

    @property
    def client_id(self) -> str:
        """The device's name."""
        return self.device or socket.gethostname()

    def state_of(self, probe: ProbeSettings) -> str:
        """Where a probe is."""
        place = probe.state or self.state
        assert place is not None
        return place


def agent_file(config: str | None) -> dict[str, Any]:
    """The tables of an agent.toml.

    Raises:
        SettingsError: none was named, or it cannot be read.
    """
    if config is None:
        fix = "name a file; `isotherm-agent sample-config > agent.toml` writes one to start from"
        raise SettingsError("--config", None, fix)
    return read_file(Path(config))


def load_agent(
    file: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> AgentSettings:
    """The settings of a device and its probes.

    Raises:
        SettingsError: names the key, the value and the fix.
    """
    tables = dict(file)
    probes = _probes(tables.pop("probe", None))
    settings = load(AgentSettings, PREFIX, file=tables, environ=environ, flags=flags, probes=probes)
    for place, probe in enumerate(probes, 1):
        if probe.state is None and settings.state is None:
            fix = 'write state = "CA", or whichever of the 51 codes it is, here or in [device]'
            raise SettingsError(f"probe[{place}].state", None, fix)
    if not is_device(settings.client_id):
        fix = "the host's name cannot stand in a topic; write a device.id without / + #"
        raise SettingsError("device.id", settings.client_id, fix)
    check(settings)
    return settings


def needs_restart(old: AgentSettings, new: AgentSettings) -> list[str]:
    """The keys that differ and are read at the start alone."""
    return [
        row.key
        for row in rows(AgentSettings)
        if row.key not in LIVE and getattr(old, row.name) != getattr(new, row.name)
    ]


def reloaded(old: AgentSettings, new: AgentSettings) -> AgentSettings:
    """What holds after a SIGHUP: the probes and what is `LIVE` of `new`, the rest of `old`."""
    live = {row.name: getattr(new, row.name) for row in rows(AgentSettings) if row.key in LIVE}
    return replace(old, probes=new.probes, **live)


def _probes(tables: Any) -> tuple[ProbeSettings, ...]:
    if not isinstance(tables, list) or not tables:
        raise SettingsError("probe", tables, PROBE_FIX)
    probes: list[ProbeSettings] = []
    seen: dict[str, int] = {}
    for place, table in enumerate(tables, 1):
        where = f"probe[{place}]."
        if not isinstance(table, dict):
            raise SettingsError(f"probe[{place}]", table, PROBE_FIX)
        try:
            kind = driver(table.get("driver"))
        except SettingsError as error:
            raise SettingsError(where + error.key, error.value, error.fix) from error
        probe = load(kind.settings, PREFIX, file=table, where=where)
        if (first := seen.setdefault(probe.guid, place)) != place:
            fix = f"probe[{first}] has it already; each probe needs a guid of its own"
            raise SettingsError(f"{where}guid", probe.guid, fix)
        probes.append(probe)
    return tuple(probes)
