"""The bridge's settings: one table behind bridge.toml, the environment, `--help` and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bridge.credentials import check
from bridge.mqtt.filters import first_overlap
from isotherm.errors import SettingsError
from isotherm.kafka.access import access_setting
from isotherm.mqtt.settings import mqtt_setting
from isotherm.mqtt.topics import (
    ALL_READINGS,
    DEAD_LETTER_SUFFIX,
    KAFKA_READINGS,
    POSITIONS_SUFFIX,
    SHARDS,
)
from isotherm.settings.address import (
    Address,
    host_names,
    listen_address,
    parse_host_port,
)
from isotherm.settings.table import (
    choice,
    duration,
    optional,
    setting,
    several,
    text,
    whole,
)
from isotherm.settings.tls import read_secret

SHARDS_IN_GROUP: Final = 4
"""A group has one MQTT session, with the same name whichever bridge holds it: the 16 sessions are
what moves between bridges, and their number can never change."""

PREFIX: Final = "ISOTHERM_BRIDGE"


def group_id(client_id: str, shard: int) -> str:
    """The client id of the session that has a shard."""
    return f"{client_id}-{shard // SHARDS_IN_GROUP:02d}"


def _broker(value: Any) -> Address:
    return parse_host_port(text(value), 9092)


def _shards(value: Any) -> tuple[int, ...]:
    fix = (
        f"write A-B within 0-{SHARDS - 1}, in whole groups of {SHARDS_IN_GROUP}, "
        "such as 0-31 or 20-43"
    )
    first, dash, last = text(value).partition("-")
    if not (dash and first.isdecimal() and last.isdecimal()):
        raise ValueError(fix)
    start, stop = int(first), int(last) + 1
    if start % SHARDS_IN_GROUP or stop % SHARDS_IN_GROUP or not start < stop <= SHARDS:
        raise ValueError(fix)
    return tuple(range(start, stop))


_MOST_EXPIRY: Final = 0xFFFF_FFFF


def _expiry(value: Any) -> float:
    seconds = duration(value)
    # MQTT 5.0, section 3.1.2.11.2: a four byte integer of seconds, in which 0 keeps no session.
    if seconds != int(seconds) or not 1 <= seconds <= _MOST_EXPIRY:
        raise ValueError(f"write whole seconds from 1s to {_MOST_EXPIRY}s (49710d), such as 7d")
    return seconds


def _filter(value: Any) -> str:
    name = text(value)
    levels = name.split("/")
    if "\0" in name or len(name.encode("utf-8", "replace")) > 65_535:  # noqa: PLR2004 two bytes
        raise ValueError("is no topic filter; write one of at most 65535 bytes without NUL")
    if levels[0] == "$share" and (len(levels) < 3 or not levels[1] or not "/".join(levels[2:])):  # noqa: PLR2004 section 4.8.2
        raise ValueError("is no shared filter; write it like $share/group/isotherm/v1/readings/#")
    # MQTT 5.0 section 4.7.1: # only as the last level, + and # only alone in theirs.
    if "#" in levels[:-1] or any(len(level) > 1 and set(level) & set("+#") for level in levels):
        raise ValueError("is no topic filter; write it like isotherm/v1/readings/#")
    return name


@dataclass(frozen=True, kw_only=True)
class BridgeSettings:
    """The settings of a bridge; see the table for the meaning of each field."""

    mqtt: Address = mqtt_setting("url", flag="--mqtt", default="mqtt://127.0.0.1:1883")
    client_id: str = setting(
        "mqtt.client_id",
        text,
        default="isotherm-bridge",
        flag="--client-id",
        metavar="ID",
        help="Names the MQTT session, on whatever machine the bridge runs; one process at a time "
        "may have it. With --shards a number is put behind it.",
    )
    subscribe: tuple[str, ...] = setting(
        "mqtt.subscribe",
        several(_filter),
        default=[ALL_READINGS],
        flag="--subscribe",
        metavar="FILTER",
        many=True,
        help="Topic filter to forward; may be given several times. No two may match the same "
        "topic, which would come twice.",
    )
    shards: tuple[int, ...] | None = setting(
        "mqtt.shards",
        optional(_shards),
        default=None,
        flag="--shards",
        metavar="A-B",
        help="Forward these shards of isotherm/v1/readings, and not mqtt.subscribe: several "
        "bridges divide 0-63 among themselves, in whole groups of 4.",
    )
    username: str | None = mqtt_setting("username")
    password_file: str | None = mqtt_setting("password_file")
    mqtt_ca_file: str | None = mqtt_setting("ca_file")
    mqtt_cert_file: str | None = mqtt_setting("cert_file")
    mqtt_key_file: str | None = mqtt_setting("key_file")
    mqtt_version: str = setting(
        "mqtt.version",
        choice("5", "3.1.1"),
        default="5",
        help="MQTT version; 3.1.1 has no Receive Maximum, so the broker's own window (often 20) "
        "bounds the speed.",
    )
    receive_maximum: int = setting(
        "mqtt.receive_maximum",
        whole(1, 65_535),
        default=20_000,
        flag="--receive-maximum",
        metavar="N",
        help="Unacknowledged messages that the MQTT broker may send: with bridge.window_bytes the "
        "bound of memory, and of what it delivers again after a crash.",
    )
    max_packet_size: int = setting(
        "mqtt.max_packet_size",
        whole(65_536, 67_108_864),
        default=4_194_304,
        help="Bytes of the largest MQTT packet that is taken. An MQTT 5.0 broker is told, and "
        "drops a larger message for this bridge; of one that comes all the same, as with 3.1.1, "
        "the dead letter has the first 131,072 bytes, the length and the SHA-256.",
    )
    session_expiry: float = setting(
        "mqtt.session_expiry",
        _expiry,
        default="7d",
        help="How long the MQTT broker keeps messages for a bridge that is away; whole seconds, at "
        "most 49710d.",
    )
    kafka: tuple[Address, ...] = setting(
        "kafka.brokers",
        several(_broker),
        default="127.0.0.1:9092",
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
        metavar="TOPIC",
        help="Kafka topic of the readings.",
    )
    dead_letters: str | None = setting(
        "kafka.dead_letter_topic",
        optional(text),
        default=None,
        flag="--dead-letter-topic",
        metavar="TOPIC",
        help="Kafka topic of what is not a reading. Default: the topic with .dead-letter behind.",
    )
    kafka_client: str = setting(
        "kafka.client",
        choice("auto", "librdkafka", "kafka-python"),
        default="auto",
        flag="--kafka-client",
        metavar="CLIENT",
        help="auto, librdkafka (faster; needs the confluent-kafka wheel) or kafka-python.",
    )
    delivery: str = setting(
        "kafka.delivery",
        choice("exactly-once", "at-least-once"),
        default="exactly-once",
        flag="--delivery",
        metavar="WORD",
        help="exactly-once: one transaction per batch, so that not even a crash doubles a message; "
        "at-least-once: a few milliseconds sooner, and doubles after a crash.",
    )
    positions: str | None = setting(
        "kafka.position_topic",
        optional(text),
        default=None,
        help="Kafka topic in which bridges note what they delivered, made where it is missing. "
        "Default: the topic with .bridge behind.",
    )
    window_bytes: int = setting(
        "bridge.window_bytes",
        whole(4_194_304, 4_294_967_296),
        default=33_554_432,
        help="Bytes that may wait for Kafka, about as they lie in memory; above, nothing is read "
        "from the MQTT broker, which keeps it.",
    )
    max_lines: int = setting(
        "bridge.max_lines",
        whole(1, 100_000),
        default=10_000,
        help="Lines in one MQTT message; of one with more the whole message is one dead letter.",
    )
    drain_timeout: float = setting(
        "bridge.drain_timeout",
        duration,
        default="10s",
        help="How long SIGTERM waits for Kafka to confirm what has arrived; the rest stays with "
        "the MQTT broker.",
    )
    metrics: Address | None = setting(
        "bridge.metrics",
        optional(listen_address),
        default=None,
        flag="--metrics",
        metavar="HOST:PORT",
        help="Where to answer over HTTP: /metrics, /healthz, /readyz, for whoever can reach it. "
        "Default: nowhere.",
    )
    metrics_hosts: str | None = setting(
        "bridge.metrics_hosts",
        optional(host_names),
        default=None,
        help="Names, with commas between them, by which /metrics may be asked beside IP addresses, "
        "localhost, and where it listens beyond loopback the machine's own name and names without "
        "a dot.",
    )

    def __post_init__(self) -> None:
        check(self)
        found = first_overlap(self.subscribe)
        if found is not None and self.shards is None:
            one, two = found
            raise SettingsError(
                "mqtt.subscribe",
                one,
                f"matches topics that {two} matches, too, and the MQTT broker sends a message once "
                "for each; leave one out, or make them narrower",
            )

    @property
    def dead_letter_topic(self) -> str:
        """The Kafka topic of what is not a reading."""
        return self.dead_letters or self.topic + DEAD_LETTER_SUFFIX

    @property
    def position_topic(self) -> str:
        """The Kafka topic in which bridges note what they delivered."""
        return self.positions or self.topic + POSITIONS_SUFFIX

    @property
    def exactly_once(self) -> bool:
        """Whether batches go in transactions."""
        return self.delivery == "exactly-once"

    @property
    def brokers(self) -> str:
        """The Kafka brokers as one text."""
        return ",".join(map(str, self.kafka))

    def password(self) -> str | None:
        """The MQTT password.

        Raises:
            SettingsError: its file cannot be read.
        """
        return read_secret("mqtt.password_file", self.password_file)
