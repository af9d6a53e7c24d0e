"""The aggregator's settings: one table for flags, environment, file, help and docs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aggregator.analytics.scopes import WINDOW, Scopes, Sliding, scopes
from aggregator.analytics.spans import interval
from aggregator.sinks.factory import kinds
from isotherm.errors import SettingsError
from isotherm.kafka.access import KafkaAccess, access_of, access_setting, brokers
from isotherm.mqtt.topics import DEAD_LETTER_SUFFIX, KAFKA_READINGS
from isotherm.settings.address import Address, host_names, listen_address
from isotherm.settings.table import boolean, choice, optional, parts, setting, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "ISOTHERM_AGGREGATOR"
OFF: Final = "off"


@dataclass(frozen=True, kw_only=True)
class AggregatorSettings:
    """What a person can choose; see each field's help."""

    kafka: str = setting(
        "kafka.brokers",
        brokers,
        flag="--kafka",
        metavar="HOST:PORT[,…]",
        help="Kafka brokers to begin with.",
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
        default=KAFKA_READINGS,
        flag="--topic",
        metavar="NAME",
        help="The topic that holds the readings.",
    )
    starting_offsets: str = setting(
        "kafka.starting_offsets",
        choice("earliest", "latest"),
        default="earliest",
        flag="--starting-offsets",
        metavar="earliest|latest",
        help="Where a new checkpoint begins in the topic; an existing one goes on where it was.",
    )
    dead_letters: str | None = setting(
        "kafka.dead_letter_topic",
        optional(text),
        default=None,
        flag="--dead-letters",
        metavar="TOPIC|off",
        help="Where rejected records go; off: they are only counted. Default: the topic with "
        ".dead-letter behind.",
    )
    kafka_wait: float = setting(
        "kafka.wait",
        interval,
        default="60s",
        flag="--kafka-wait",
        metavar="SPAN",
        help="With --available-now, how long to wait for Kafka and the topic before giving up; "
        "without it the job waits for ever.",
    )
    accept_loss: bool = setting(
        "kafka.accept_loss",
        boolean,
        default=False,
        flag="--accept-loss",
        help="Go on where Kafka deleted records before they were counted, instead of ending; say "
        "it for one start. With `since_start` the audit's `missing` shows what is gone.",
    )
    checkpoint: str = setting(
        "job.checkpoint",
        text,
        flag="--checkpoint",
        metavar="DIR",
        help="Folder in which Spark notes what was counted; a restart goes on from there.",
    )
    trigger: float = setting(
        "job.trigger",
        interval,
        default="3 seconds",
        flag="--trigger",
        metavar="SPAN",
        help="How often the analytics are computed.",
    )
    max_offsets: int = setting(
        "job.max_offsets",
        whole(1, 1_000_000_000),
        default=2_000_000,
        flag="--max-offsets",
        metavar="N",
        help="At most so many offsets in one trigger; a backlog is counted in several, so that "
        "however long it is, it fits into memory.",
    )
    available_now: bool = setting(
        "job.available_now",
        boolean,
        default=False,
        flag="--available-now",
        help="Count what the topic holds, then end.",
    )
    scope: Scopes = setting(
        "job.scope",
        scopes,
        default=WINDOW,
        flag="--scope",
        metavar="window|since_start|event:SPAN[,…]",
        help="Count the readings that arrived in each trigger, all since the start, those of the "
        "last SPAN by event time, or several of these; both: the first two.",
    )
    watermark: float = setting(
        "job.watermark",
        interval,
        default="10s",
        flag="--watermark",
        metavar="SPAN",
        help="How far the event window stays behind the highest event time, so that what comes "
        "that much later is still in it.",
    )
    ledger: str | None = setting(
        "job.ledger",
        optional(text),
        default=None,
        flag="--ledger",
        metavar="FILE",
        help="Where the totals since the start are kept; default: CHECKPOINT.ledger.duckdb.",
    )
    ledger_sensors: int = setting(
        "job.ledger_sensors",
        whole(1, 1_000_000_000),
        default=5_000_000,
        flag="--ledger-sensors",
        metavar="COUNT",
        help="How many sensors have rows in the ledger, and exact numbers. Those that come later "
        "are counted together: messages and averages with their duplicates, distinct sensors as an "
        "estimate; snapshots then say `approximate`.",
    )
    metrics: Address | None = setting(
        "job.metrics",
        optional(listen_address),
        default=None,
        flag="--metrics",
        metavar="HOST:PORT",
        help="Where to answer over HTTP: /metrics, /healthz, /readyz, for whoever can reach it. "
        "Default: nowhere.",
    )
    metrics_hosts: str | None = setting(
        "job.metrics_hosts",
        optional(host_names),
        default=None,
        help="Names, with commas between them, by which /metrics may be asked beside IP addresses, "
        "localhost, and where it listens beyond loopback the machine's own name and names without "
        "a dot.",
    )
    late: float = setting(
        "audit.late",
        interval,
        default="5m",
        flag="--late",
        metavar="SPAN",
        help="A reading is counted as late if its event time is further than this behind its "
        "trigger.",
    )
    future: float = setting(
        "audit.future",
        interval,
        default="1m",
        flag="--future",
        metavar="SPAN",
        help="A reading is counted as from the future if its event time is further than this ahead "
        "of its trigger.",
    )
    offline_after: float = setting(
        "audit.offline_after",
        interval,
        default="10m",
        flag="--offline-after",
        metavar="SPAN",
        help="A sensor is offline if nothing has come of it for longer than this while the job "
        "ran; needs the ledger.",
    )
    sinks: Mapping[str, Any] = parts({kind.name: kind.settings for kind in kinds()})
    """The settings of each kind of sink, by its name."""

    def __post_init__(self) -> None:
        self.access.check()

    @property
    def access(self) -> KafkaAccess:
        """The way into Kafka."""
        return access_of(self, self.kafka)

    @property
    def dead_letter_topic(self) -> str | None:
        """The Kafka topic of what is not a reading; None where it is not wanted."""
        if self.dead_letters == OFF:
            return None
        return self.dead_letters or self.topic + DEAD_LETTER_SUFFIX

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a snapshot has."""
        return self.scope.names

    @property
    def keeps_ledger(self) -> bool:
        """Whether any of them needs the ledger."""
        return self.scopes != (WINDOW,)

    @property
    def sliding(self) -> Sliding | None:
        """The event window; None where it is not asked for."""
        if self.scope.span is None:
            return None
        return Sliding(span=self.scope.span, delay=self.watermark, future=self.future)

    @property
    def checkpoint_folder(self) -> Path | None:
        """The checkpoint as a local folder; None where it lies in a remote store."""
        parts = urlsplit(self.checkpoint)
        if not parts.scheme:
            return Path(self.checkpoint)
        return Path(parts.path) if parts.scheme == "file" else None

    @property
    def ledger_file(self) -> Path:
        """Where the ledger lies: beside the checkpoint unless the person says otherwise.

        Raises:
            SettingsError: the checkpoint is remote, and no place was given.
        """
        if self.ledger is not None:
            return Path(self.ledger)
        folder = self.checkpoint_folder
        if folder is None:
            raise SettingsError(
                "--ledger",
                None,
                f"name a local file: the ledger cannot lie beside {self.checkpoint}",
            )
        return ledger_beside(folder)


def ledger_beside(checkpoint: Path) -> Path:
    """Where the ledger of a checkpoint lies unless the person says otherwise."""
    return checkpoint.with_name(f"{checkpoint.name}.ledger.duckdb")
