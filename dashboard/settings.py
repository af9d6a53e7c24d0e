"""The dashboard's settings: one table for flags, environment, file, help and docs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from isotherm.errors import SettingsError
from isotherm.http.request_check import is_loopback
from isotherm.kafka.access import KafkaAccess, access_of, access_setting, brokers
from isotherm.mqtt.settings import mqtt_setting, mqtt_url
from isotherm.mqtt.topics import ANALYTICS_SUFFIX, KAFKA_READINGS
from isotherm.settings.address import Address, listen_address
from isotherm.settings.table import duration, optional, setting, text, whole
from isotherm.settings.tls import TlsFiles, check_mqtt, refuse

PREFIX: Final = "ISOTHERM_DASHBOARD"
_PLAIN: Final = re.compile("[!-~]+")


def http(value: Any) -> str:
    """Parser: the address of an HTTP server, without a path."""
    address = text(value).rstrip("/")
    parts = _parts(address)
    if parts is None or parts.path or parts.query or parts.username:
        raise ValueError("write it like http://HOST:PORT")
    return address


def hook(value: Any) -> str:
    """Parser: the address of a receiver, which may have a path."""
    address = text(value)
    parts = _parts(address)
    if parts is None or parts.username:
        raise ValueError(
            "write it like https://HOST/PATH, without a user in it, in printable ASCII characters "
            "without spaces (others as %XX, names of hosts as xn--...)"
        )
    return address


def _parts(address: str) -> SplitResult | None:
    """The parts of an address that can be asked for as it is written; None for another."""
    # http.client raises on the rest only when it asks, and quotes the path, often a secret.
    if not _PLAIN.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.fragment:
        return None
    return parts


def degrees(value: Any) -> float:
    """Parser: degrees Fahrenheit."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("write a number of degrees Fahrenheit")
    return number


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
    security_protocol: str = access_setting("security_protocol")
    kafka_ca_file: str | None = access_setting("ca_file")
    kafka_cert_file: str | None = access_setting("cert_file")
    kafka_key_file: str | None = access_setting("key_file")
    sasl_mechanism: str | None = access_setting("sasl_mechanism")
    kafka_username: str | None = access_setting("username")
    kafka_password_file: str | None = access_setting("password_file")
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
        listen_address,
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
    hot: float = setting(
        "alerts.hot",
        degrees,
        default=110,
        help="A state whose average is above it is too hot, degrees Fahrenheit.",
    )
    cold: float = setting(
        "alerts.cold",
        degrees,
        default=-20,
        help="A state whose average is below it is too cold, degrees Fahrenheit.",
    )
    margin: float = setting(
        "alerts.margin",
        degrees,
        default=3,
        help="So far behind its limit a state must be back to be well again, degrees Fahrenheit.",
    )
    hold: float = setting(
        "alerts.hold",
        duration,
        default="10m",
        help="So long a state must be too hot or too cold before it is an alert.",
    )
    offline: int = setting(
        "alerts.offline",
        whole(1, 99),
        default=10,
        help="An alert begins when more than so many percent of a state's sensors are offline.",
    )
    repeat: float = setting(
        "alerts.repeat",
        duration,
        default="4h",
        help="What is still firing is told again after so long.",
    )
    webhook: str | None = setting(
        "alerts.webhook",
        optional(hook),
        default=None,
        flag="--alert-webhook",
        metavar="URL",
        help="Each alert that begins or ends is sent there by POST, as JSON.",
    )
    webhook_token_file: str | None = setting(
        "alerts.webhook_token_file",
        optional(text),
        default=None,
        help="A file with a secret that the webhook gets as a Bearer token.",
    )
    state_file: str | None = setting(
        "alerts.state_file",
        optional(text),
        default=None,
        flag="--alert-state",
        metavar="FILE",
        help="Remembers what the webhook was told, so that a restart does not tell it again.",
    )
    mqtt: Address | None = mqtt_setting(
        "url",
        flag="--alert-mqtt",
        parse=optional(mqtt_url),
        default=None,
        help="The MQTT broker at which alerts that are firing stand, retained, under "
        "isotherm/v1/alerts; mqtts:// for TLS.",
    )
    mqtt_username: str | None = mqtt_setting("username")
    mqtt_password_file: str | None = mqtt_setting("password_file")
    mqtt_ca_file: str | None = mqtt_setting("ca_file")
    mqtt_cert_file: str | None = mqtt_setting("cert_file")
    mqtt_key_file: str | None = mqtt_setting("key_file")

    def check(self) -> None:
        """See that the settings can be meant together.

        Raises:
            SettingsError: they cannot.
        """
        self._check_alerts()
        if (self.kafka is None) == (self.snapshots is None):
            given = None if self.kafka is None else self.kafka
            raise SettingsError(
                "--kafka",
                given,
                "name where the snapshots come from: --kafka HOST:PORT or --snapshots FILE, "
                "and not both",
            )
        self.access.check()
        if not self.loopback and self.token_file is None:
            raise SettingsError(
                "--listen",
                str(self.listen),
                "whoever reaches this address could look: give --token-file FILE with a secret in "
                "it, or listen on 127.0.0.1",
            )

    @property
    def access(self) -> KafkaAccess:
        """The way into Kafka; without brokers where the snapshots come from a file."""
        return access_of(self, self.kafka or "")

    @property
    def mqtt_tls(self) -> TlsFiles:
        """The files of TLS for the alerts' MQTT broker."""
        return TlsFiles("mqtt", self.mqtt_ca_file, self.mqtt_cert_file, self.mqtt_key_file)

    def _check_alerts(self) -> None:
        if self.cold >= self.hot:
            raise SettingsError("alerts.cold", self.cold, "must be below alerts.hot")
        if self.webhook is None:
            given = {
                "alerts.webhook_token_file": self.webhook_token_file,
                "alerts.state_file": self.state_file,
            }
            named = {key: value for key, value in given.items() if value}
            refuse(named, "has no effect without a webhook; set alerts.webhook too")
        if self.mqtt is not None:
            check_mqtt(
                self.mqtt_tls,
                scheme=self.mqtt.scheme,
                username=self.mqtt_username or self.mqtt.username,
                password_file=self.mqtt_password_file,
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.listen.host)
