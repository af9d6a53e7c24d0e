"""The dashboard's settings: one table for flags, environment, file, help and docs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboard.alerts.sinks.registry import kinds, remembers
from isotherm.errors import SettingsError
from isotherm.http.request_check import is_loopback
from isotherm.kafka.access import KafkaAccess, access_of, access_setting, brokers
from isotherm.mqtt.topics import ANALYTICS_SUFFIX, KAFKA_READINGS
from isotherm.settings.address import Address, http_server, listen_address
from isotherm.settings.table import duration, optional, parts, setting, text, whole
from isotherm.settings.tls import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "ISOTHERM_DASHBOARD"


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
        optional(http_server),
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
    state_file: str | None = setting(
        "alerts.state_file",
        optional(text),
        default=None,
        flag="--alert-state",
        metavar="FILE",
        help="Remembers what the webhook and Apprise have sent, so that a restart does not send it "
        "again.",
    )
    alert_sinks: Mapping[str, Any] = parts({kind.name: kind.settings for kind in kinds()})
    """The settings of each kind of sink of alerts, by its name."""

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

    def _check_alerts(self) -> None:
        if self.cold >= self.hot:
            raise SettingsError("alerts.cold", self.cold, "must be below alerts.hot")
        if self.state_file and not remembers(self.alert_sinks):
            fix = "has no effect alone; set alerts.webhook or alerts.apprise_urls_file too"
            refuse({"alerts.state_file": self.state_file}, fix)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.listen.host)
