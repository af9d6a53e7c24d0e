"""The settings of the commands that are not the service: `simulate` and `replay`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_agent.mqtt.publisher import WINDOW
from edge_agent.parsers import MAX_WINDOW, URL_HELP, device_id, moment, mqtt_url, proxy_url, rate
from edge_agent.probes.simulation import RATE, SENSORS
from isotherm.mqtt.settings import mqtt_setting
from isotherm.settings.table import choice, duration, optional, setting, whole

if TYPE_CHECKING:
    from isotherm.settings.address import Address

REPLAY_PREFIX: Final = "ISOTHERM_REPLAY"
SIMULATE_PREFIX: Final = "ISOTHERM_SIMULATE"


@dataclass(frozen=True, kw_only=True)
class SimulateSettings:
    """What `isotherm-agent simulate` needs to know."""

    sensors: int = setting(
        "sensors",
        whole(1, 10_000_000),
        default=SENSORS,
        help="Sensors from which each reading draws one.",
        flag="--sensors",
        metavar="N",
    )
    seed: int = setting(
        "seed",
        whole(0, 2**63 - 1),
        default=0,
        help="The same seed gives the same bytes.",
        flag="--seed",
        metavar="S",
    )
    start: int = setting(
        "start",
        moment,
        default="2016-11-16T13:26:39.447974Z",
        help="Event time of the first reading: now, or UTC in RFC 3339.",
        flag="--start",
        metavar="TIME",
    )
    rate: float = setting(
        "rate",
        rate,
        default=RATE,
        help="Readings per second of event time.",
        flag="--rate",
        metavar="R",
    )


@dataclass(frozen=True, kw_only=True)
class ReplaySettings:
    """What `isotherm-agent replay` needs to know."""

    mqtt: Address = mqtt_setting("url", flag="--mqtt", parse=mqtt_url, help=URL_HELP)
    version: str = setting(
        "mqtt.version",
        choice("auto", "5", "3.1.1"),
        default="auto",
        help="MQTT version; auto takes 3.1.1 where the broker does not speak 5. 3.1.1 does not say "
        "whether anybody gets a reading.",
        flag="--mqtt-version",
        metavar="VERSION",
    )
    proxy: Address | None = setting(
        "mqtt.proxy",
        optional(proxy_url),
        default=None,
        help="What to connect through: http://host[:port], socks5:// or socks4://; needs PySocks.",
        flag="--proxy",
        metavar="URL",
    )
    username: str | None = mqtt_setting("username", flag="--username")
    password_file: str | None = mqtt_setting("password_file", flag="--password-file")
    ca_file: str | None = mqtt_setting("ca_file", flag="--ca-file")
    cert_file: str | None = mqtt_setting("cert_file", flag="--cert-file")
    key_file: str | None = mqtt_setting("key_file", flag="--key-file")
    device: str = setting(
        "device",
        device_id,
        default="replay",
        help="The device under whose topic the lines go.",
        flag="--device",
        metavar="NAME",
    )
    rate: float | None = setting(
        "rate",
        optional(rate),
        default=None,
        help="Lines per second; as fast as the broker takes them if not set.",
        flag="--rate",
        metavar="R",
    )
    batch: int = setting(
        "batch",
        whole(1, 10_000),
        default=1,
        help="Lines in one MQTT message, at most.",
        flag="--batch",
        metavar="N",
    )
    window: int = setting(
        "window",
        whole(1, MAX_WINDOW),
        default=WINDOW,
        help="Messages under way at once; the broker's Receive Maximum may make it fewer.",
        flag="--window",
        metavar="N",
    )
    qos: int = setting(
        "qos",
        whole(1, 1),
        default=1,
        help="Only 1: the end comes when each message is acknowledged.",
        flag="--qos",
        metavar="1",
    )
    give_up: float | None = setting(
        "give_up",
        optional(duration),
        default=None,
        help="End when the broker cannot be reached for this long, such as 30s; if not set, wait.",
        flag="--give-up",
        metavar="TIME",
    )
