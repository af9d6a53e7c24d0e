"""Parsers of the settings that only the agent has (see `isotherm.settings.table.Parser`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from isotherm.contract.event_time import is_event_time, parse_event_time
from isotherm.contract.fields import is_guid
from isotherm.contract.states import MEAN_TEMPERATURE
from isotherm.mqtt.topics import is_device
from isotherm.settings.address import Address, parse_address
from isotherm.settings.table import duration, text

if TYPE_CHECKING:
    from collections.abc import Callable

MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
URL_HELP: Final = (
    "The broker: mqtt://[username@]host[:port], mqtts:// for TLS, or ws:// and wss:// with a path "
    "for WebSockets."
)
PROXY_PORTS: Final = {"http": 3128, "socks5": 1080, "socks4": 1080}
MAX_WINDOW: Final = 65_535
"""Packet identifiers that MQTT has."""
MAX_RATE: Final = 1e9


def mqtt_url(value: Any) -> Address:
    """Parser: the broker's address."""
    return parse_address(text(value), MQTT_PORTS, with_path=("ws", "wss"))


def proxy_url(value: Any) -> Address:
    """Parser: the address of a proxy in front of the broker."""
    address = parse_address(text(value), PROXY_PORTS)
    if address.username:
        raise ValueError("a proxy that asks for a name and a password is not supported")
    return address


def discovery_prefix(value: Any) -> str | None:
    """Parser: Home Assistant's discovery prefix; true is its default, false is none."""
    if value in (False, "false"):
        return None
    if value in (True, "true"):
        return "homeassistant"
    if not isinstance(value, str) or not value.strip("/") or set(value) & set("+#"):
        raise ValueError("write true, false, or a discovery prefix without + and #")
    return value.strip("/")


def span_or_never(value: Any) -> float | None:
    """Parser: a time span in seconds; false is none."""
    if value in (False, "false"):
        return None
    try:
        return duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or false") from None


def device_id(value: Any) -> str:
    """Parser: a name that can stand in a topic."""
    if not isinstance(value, str) or not is_device(value):
        raise ValueError("write 1 to 128 printable characters, none of / + #")
    return value


def rate(value: Any) -> float:
    """Parser: messages or readings per second, over 0."""
    fix = "write a number of messages per second over 0, such as 500 or 0.5"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(fix) from None
    if isinstance(value, bool) or not 0 < number <= MAX_RATE:
        raise ValueError(fix)
    return number


def number(low: float, high: float) -> Callable[[Any], float]:
    """Parser: a number between two bounds, both included."""

    def parse(value: Any) -> float:
        fix = f"write a number from {low:g} to {high:g}"
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(fix) from None
        if isinstance(value, bool) or not low <= found <= high:
            raise ValueError(fix)
        return found

    return parse


def moment(value: Any) -> int:
    """Parser: an event time, nanoseconds since 1970, out of RFC 3339 text or ``now``."""
    if value == "now":
        return time.time_ns()
    if not isinstance(value, str) or not is_event_time(value):
        raise ValueError("write now, or a time in UTC such as 2016-11-16T13:26:39.447974Z")
    return parse_event_time(value)


def guid(value: Any) -> str:
    """Parser: a sensor's name."""
    if not isinstance(value, str) or not is_guid(value):
        raise ValueError("write 1 to 128 printable characters, such as 0-ZZZ12345678-08K")
    return value


def state(value: Any) -> str:
    """Parser: one of the 51 codes."""
    if not isinstance(value, str) or value not in MEAN_TEMPERATURE:
        raise ValueError('write one of the 51 two-letter codes, such as "CA" or "DC"')
    return value
