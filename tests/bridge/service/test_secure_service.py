"""The bridge between brokers that demand certificates and passwords."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.bridge.mqtt.other_paho import use
from tests.bridge.readings import reading
from tests.support import Program, Publisher, await_true, program, topic_records, unique
from tests.support.secure_brokers import PASSWORD, USER, SecureBrokers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.integration

MQTT_PASSWORD = "also-a-secret"  # noqa: S105 of a broker that lives for a test


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBrokers]:
    with SecureBrokers(tmp_path_factory.mktemp("secure")) as running:
        yield running


class Route(NamedTuple):
    """One test's topics and session, and the tables of its bridge.toml."""

    brokers: SecureBrokers
    name: str
    folder: Path
    mqtt: dict[str, Any]
    kafka: dict[str, Any]

    def bridge(self) -> AbstractContextManager[Program]:
        path = self.folder / "bridge.toml"
        lines = [
            line
            for section, table in (("mqtt", self.mqtt), ("kafka", self.kafka))
            for line in (f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items()))
        ]
        path.write_text("\n".join(lines))
        return program("bridge", "run", "--verbose", "--config", str(path))

    def flows(self) -> None:
        """Readings go through; nothing that the bridge says holds a password."""
        sent = [reading(f"guid-{n}", n + 1) for n in range(500)]
        with self.bridge() as bridge, Publisher(self.brokers.plain_mqtt) as publisher:
            bridge.await_line("ready")
            publisher.publish(f"tests/{self.name}", sent)
            plain = self.brokers.plain_kafka
            await_true(lambda: len(topic_records(plain, self.name)) >= 500, "the readings")
            assert bridge.end() == 0
        assert sorted(kept.value for kept in topic_records(plain, self.name)) == sorted(sent)
        tells_no_secret(bridge)

    def refused(self, line: str) -> str:
        """What the bridge says of a broker that will not have it: one line, and it goes on."""
        with self.bridge() as bridge:
            said = bridge.await_line(line)
            with pytest.raises(AssertionError, match="no line with"):
                bridge.await_line("refuses", timeout=2)
            assert bridge.process.poll() is None
            bridge.end(signal.SIGKILL)
        tells_no_secret(bridge)
        assert not [line for line in bridge.lines if "Traceback" in line]
        return said


def tells_no_secret(bridge: Program) -> None:
    said = "\n".join(bridge.lines)
    assert PASSWORD not in said
    assert MQTT_PASSWORD not in said


@pytest.fixture
def route(brokers: SecureBrokers, tmp_path: Path) -> Route:
    """Plain to both; each test says what it makes secure."""
    name = unique("secure")
    brokers.create_topics(name, f"{name}.dead-letter")
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "mqtt-password").write_text(MQTT_PASSWORD)
    mqtt = {"url": brokers.plain_mqtt, "client_id": name, "subscribe": f"tests/{name}"}
    kafka = {"brokers": brokers.plain_kafka, "topic": name}
    return Route(brokers, name, tmp_path, mqtt, kafka)


@pytest.fixture(params=("private names", "public names"))
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways into paho's byte stream: what TLS refuses is the same."""
    if request.param == "public names":
        use(tmp_path, monkeypatch)


def over_tls(route: Route, listener: str = "tls") -> None:
    route.mqtt.update(
        url=route.brokers.mqtt(listener),
        ca_file=str(route.brokers.authority),
        username="anybody",
        password_file=str(route.folder / "mqtt-password"),
    )


def with_password(route: Route, protocol: str, mechanism: str) -> None:
    route.kafka.update(
        brokers=route.brokers.kafka(protocol),
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        username=USER,
        password_file=str(route.folder / "password"),
    )
    if protocol == "SASL_SSL":
        route.kafka.update(ca_file=str(route.brokers.authority))


@pytest.mark.parametrize(
    ("client", "delivery", "protocol", "mechanism"),
    (
        ("librdkafka", "exactly-once", "SASL_SSL", "SCRAM-SHA-512"),
        ("librdkafka", "at-least-once", "SASL_SSL", "PLAIN"),
        ("librdkafka", "at-least-once", "SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("kafka-python", "exactly-once", "SASL_SSL", "SCRAM-SHA-256"),
        ("kafka-python", "at-least-once", "SASL_SSL", "SCRAM-SHA-512"),
        ("kafka-python", "at-least-once", "SASL_PLAINTEXT", "PLAIN"),
    ),
)
def test_readings_flow_through_tls_and_passwords(
    route: Route, client: str, delivery: str, protocol: str, mechanism: str
) -> None:
    over_tls(route)
    with_password(route, protocol, mechanism)
    route.kafka.update(client=client, delivery=delivery)
    route.flows()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_readings_flow_under_client_certificates(route: Route, client: str) -> None:
    over_tls(route, "mutual")
    pair = {"cert_file": str(route.brokers.client), "key_file": str(route.brokers.client)}
    route.mqtt.update(pair)
    route.kafka.update(
        brokers=route.brokers.kafka("SSL"),
        security_protocol="SSL",
        ca_file=str(route.brokers.authority),
        client=client,
        **pair,
    )
    route.flows()


@pytest.mark.usefixtures("way")
def test_an_mqtt_broker_of_a_strange_authority_is_refused(route: Route) -> None:
    over_tls(route)
    route.mqtt.update(ca_file=str(route.brokers.stranger))
    said = route.refused("mqtt refuses")
    assert "its certificate is not signed by an authority in mqtt.ca_file" in said


@pytest.mark.usefixtures("way")
def test_an_mqtt_broker_of_another_name_is_refused(route: Route) -> None:
    over_tls(route, "elsewhere")
    said = route.refused("mqtt refuses")
    assert "its certificate is for another host name than the one in mqtt.url" in said


@pytest.mark.usefixtures("way")
def test_a_missing_client_certificate_for_mqtt_is_named(route: Route) -> None:
    over_tls(route, "mutual")
    said = route.refused("mqtt refuses")
    assert "it wants a client certificate that it trusts: mqtt.cert_file" in said


@pytest.mark.usefixtures("way")
def test_a_plain_connection_to_a_tls_port_is_guessed(route: Route) -> None:
    route.mqtt.update(url=route.brokers.mqtt("tls").replace("mqtts", "mqtt"))
    assert "is it a TLS port (mqtts://)?" in route.refused("waiting for mqtt")


@pytest.mark.parametrize("mechanism", ("PLAIN", "SCRAM-SHA-512"))
@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_a_wrong_kafka_password_is_named(route: Route, client: str, mechanism: str) -> None:
    with_password(route, "SASL_SSL", mechanism)
    (route.folder / "password").write_text("wrong-and-secret")
    route.kafka.update(client=client)
    # kafka-python 3.0.12 throws away an answer that it reads together with the end of the
    # connection, as on a busy machine; then it can but be suspected, and the line names it, too.
    said = route.refused("kafka refuses" if client == "librdkafka" else "kafka.password_file")
    if "kafka refuses" in said:
        assert "kafka.username with the password in kafka.password_file" in said
    else:
        assert "if it stays so, look at kafka.security_protocol, kafka.username" in said
    assert "wrong-and-secret" not in said


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_a_kafka_of_a_strange_authority_is_refused(route: Route, client: str) -> None:
    with_password(route, "SASL_SSL", "PLAIN")
    route.kafka.update(client=client, ca_file=str(route.brokers.stranger))
    said = route.refused("kafka refuses")
    assert "its certificate is not signed by an authority in kafka.ca_file" in said


@pytest.mark.parametrize("client", ("librdkafka", "kafka-python"))
def test_a_missing_client_certificate_for_kafka_is_named(route: Route, client: str) -> None:
    route.kafka.update(
        brokers=route.brokers.kafka("SSL"),
        security_protocol="SSL",
        ca_file=str(route.brokers.authority),
        client=client,
    )
    assert "kafka.cert_file, kafka.key_file" in route.refused("kafka refuses")
