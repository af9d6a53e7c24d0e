"""How a program gets into an MQTT broker: the rows that all programs have in their settings.

mqtt: Address = mqtt_setting("url", flag="--mqtt", default="mqtt://127.0.0.1:1883")
username: str | None = mqtt_setting("username")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from isotherm.settings.address import Address, parse_address
from isotherm.settings.parsers import optional, text
from isotherm.settings.table import REQUIRED, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isotherm.settings.parsers import Parser

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


def mqtt_url(value: Any) -> Address:
    """Parser: mqtt://[USERNAME@]HOST[:PORT] or mqtts://..."""
    return parse_address(text(value), PORTS)


class _Row(NamedTuple):
    parse: Parser
    help: str
    metavar: str
    default: object = None


ROWS: Final[Mapping[str, _Row]] = {
    "url": _Row(
        mqtt_url,
        "The broker: mqtt://[username@]host[:port], or mqtts:// for TLS.",
        "URL",
        REQUIRED,
    ),
    "username": _Row(optional(text), "Who connects, if the broker asks.", "NAME"),
    "password_file": _Row(
        optional(text), "File with the password; a last newline is cut off.", "FILE"
    ),
    "ca_file": _Row(
        optional(text),
        "Certificates to trust with mqtts://, PEM; if not set, those of the system.",
        "FILE",
    ),
    "cert_file": _Row(optional(text), "Client certificate, PEM.", "FILE"),
    "key_file": _Row(optional(text), "Its key, PEM, not encrypted.", "FILE"),
}
"""The rows by their key in ``[mqtt]``."""


def mqtt_setting(name: str, *, flag: str | None = None, **different: Any) -> Any:
    """A field of a settings dataclass: the row ``mqtt.NAME``.

    Args:
        name: a key of `ROWS`.
        flag: the command-line flag, if there is one.
        different: what is not as in `ROWS`: parse, help, default.
    """
    row = ROWS[name]._replace(**different)
    return setting(
        f"mqtt.{name}",
        row.parse,
        help=row.help,
        default=row.default,
        flag=flag,
        metavar=row.metavar if flag else None,
    )
