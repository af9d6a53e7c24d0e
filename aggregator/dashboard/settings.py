"""The dashboard's settings: one table for flags, environment, file, help and docs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from contract.address import Address, parse_host_port
from contract.errors import SettingsError
from contract.settings import duration, optional, setting, text
from contract.topics import ANALYTICS_SUFFIX, KAFKA_READINGS

PREFIX: Final = "ISOTHERM_DASHBOARD"


def brokers(value: Any) -> str:
    """Parser: HOST:PORT, or several with commas between them."""
    return ",".join(str(parse_host_port(part.strip())) for part in text(value).split(","))


def listen(value: Any) -> Address:
    """Parser: HOST:PORT."""
    return parse_host_port(text(value))


def http(value: Any) -> str:
    """Parser: the address of an HTTP server, without a path."""
    address = text(value).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise ValueError("write it like http://HOST:PORT")
    return address


@dataclass(frozen=True, kw_only=True)
class DashboardSettings:
    """What a person can choose; see each field's help."""

    kafka: str | None = setting(
        "kafka.brokers",
        optional(brokers),
        default=None,
        flag="--kafka",
        metavar="HOST:PORT[,…]",
        help="Kafka brokers; the job writes its snapshots there with --analytics-topic.",
    )
    topic: str = setting(
        "kafka.topic",
        text,
        default=KAFKA_READINGS + ANALYTICS_SUFFIX,
        flag="--topic",
        metavar="NAME",
        help="The topic with the snapshots.",
    )
    snapshots: str | None = setting(
        "file.snapshots",
        optional(text),
        default=None,
        flag="--snapshots",
        metavar="FILE.jsonl",
        help="Take the snapshots from this file, which the job writes with --snapshots, instead of "
        "Kafka.",
    )
    job: str | None = setting(
        "job.url",
        optional(http),
        default=None,
        flag="--job",
        metavar="http://HOST:PORT",
        help="Where the job answers (its --metrics): the page asks it for the sensors of a state.",
    )
    listen: Address = setting(
        "page.listen",
        listen,
        default="127.0.0.1:8787",
        flag="--listen",
        metavar="HOST:PORT",
        help="Where the page is; another address than loopback needs a token.",
    )
    token_file: str | None = setting(
        "page.token_file",
        optional(text),
        default=None,
        flag="--token-file",
        metavar="FILE",
        help="Only who knows the token in this file may look: http://HOST:PORT/?token=…, once in "
        "a browser, or as a Bearer token.",
    )
    stale_after: float = setting(
        "page.stale_after",
        duration,
        default="10s",
        flag="--stale-after",
        metavar="SPAN",
        help="The page says that it is stale when its last snapshot is older.",
    )

    def check(self) -> None:
        """See that the settings can be meant together.

        Raises:
            SettingsError: they cannot.
        """
        if (self.kafka is None) == (self.snapshots is None):
            given = None if self.kafka is None else self.kafka
            raise SettingsError(
                "--kafka",
                given,
                "name where the snapshots come from: --kafka HOST:PORT or --snapshots FILE, "
                "and not both",
            )
        if not self.loopback and self.token_file is None:
            raise SettingsError(
                "--listen",
                str(self.listen),
                "whoever reaches this address could look: give --token-file FILE with a secret in "
                "it, or listen on 127.0.0.1",
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        if self.listen.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.listen.host.partition("%")[0]).is_loopback
        except ValueError:
            return False
