"""The job, under a real spark-submit, with a Kafka that demands certificates and passwords."""

from __future__ import annotations

import json
import re
import signal
import sys
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stub
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from aggregator.stream.session import packages
from deploy.local.ports import LOOPBACK, free_port
from tests.aggregator.support.cluster import cluster, configuration, executors
from tests.aggregator.support.jobs import (
    PATIENCE,
    ROOT,
    execute,
    lines,
    running,
    send,
    submit,
    until,
)
from tests.aggregator.support.records import reading
from tests.support import topic_records, unique
from tests.support.secure_brokers import SecureBrokers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

USER: Final = 'the "job"'
SECRET: Final = "tell-nobody"  # noqa: S105 of a broker that lives for a test
"""The heart of the password, which stays as it is whatever quotes the rest."""
PASSWORD: Final = f'1% "{SECRET}" \\n; it\'s \\ back'
READINGS: Final = [
    reading(f"s{number % 7}", ("AK", "CA")[number % 2], 50.5, seq=number + 1)
    for number in range(100)
]
PAGES: Final = (
    *("/jobs/", "/stages/", "/environment/", "/executors/", "/SQL/", "/StreamingQuery/"),
    *(f"/SQL/execution/?id={number}" for number in range(3)),
    *("/api/v1/applications/{}/environment", "/api/v1/applications/{}/sql?details=true"),
)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBrokers]:
    with SecureBrokers(tmp_path_factory.mktemp("secure")) as running_brokers:
        admin = AdminClient({"bootstrap.servers": running_brokers.plain_kafka})
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = UserScramCredentialUpsertion(USER, login, PASSWORD.encode())
        admin.alter_user_scram_credentials([wanted])[USER].result(timeout=30)
        yield running_brokers


class Place(NamedTuple):
    """One test's folder and topic, and the table [kafka] of its file."""

    brokers: SecureBrokers
    folder: Path
    kafka: dict[str, Any]

    @property
    def topic(self) -> str:
        return str(self.kafka["topic"])

    @property
    def snapshots(self) -> Path:
        return self.folder / "s.jsonl"

    @property
    def said(self) -> str:
        """What the job has said so far."""
        return "".join((self.folder / name).read_text() for name in ("out", "out.err"))

    def send(self, values: list[bytes]) -> None:
        send(SimpleNamespace(kafka=self.brokers.plain_kafka), self.topic, values)

    def command(self, *words: object) -> list[str]:
        config = self.folder / "aggregator.toml"
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.kafka.items())
        config.write_text(f"[kafka]\n{table}", encoding="utf-8")
        entry = "import sys; from aggregator.cli.main import main; sys.exit(main())"
        flags = ("--config", config, "--checkpoint", self.folder / "ck")
        return [str(word) for word in (sys.executable, "-c", entry, *words, *flags)]

    def with_password(self) -> None:
        (self.folder / "password").write_text(PASSWORD + "\n")
        self.kafka.update(
            brokers=self.brokers.kafka("SASL_SSL"),
            security_protocol="SASL_SSL",
            ca_file=str(self.brokers.authority),
            sasl_mechanism="SCRAM-SHA-512",
            username=USER,
            password_file=str(self.folder / "password"),
        )

    def with_certificate(self) -> None:
        self.kafka.update(
            brokers=self.brokers.kafka("SSL"),
            security_protocol="SSL",
            ca_file=str(self.brokers.authority),
            cert_file=str(self.brokers.client),
            key_file=str(self.brokers.client),
        )

    def tells_no_secret(self, *more: str) -> None:
        """Neither the password nor the key is in what the job wrote and said."""
        key = re.search("PRIVATE KEY-----\n(.+)\n", self.brokers.client.read_text())
        assert key is not None
        files = {path for path in self.folder.rglob("*") if path.is_file()}
        files -= {self.folder / "password"}
        assert {"out", "aggregator.toml"} <= {path.name for path in files}
        for path in files:
            found = path.read_bytes()
            assert SECRET.encode() not in found, path
            assert key[1].encode() not in found, path
        for text in more:
            assert SECRET not in text
            assert key[1] not in text


@pytest.fixture
def place(brokers: SecureBrokers, tmp_path: Path) -> Place:
    name = unique("secure")
    brokers.create_topics(name, f"{name}.dead-letter", f"{name}.analytics")
    return Place(brokers, tmp_path, {"topic": name, "analytics_topic": f"{name}.analytics"})


def pages(port: int) -> str:
    """What Spark's own web pages show."""
    (application,) = json.loads(page(port, "/api/v1/applications"))
    return "".join(page(port, path.format(application["id"])) for path in PAGES)


def page(port: int, path: str) -> str:
    with closing(HTTPConnection(LOOPBACK, port, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == HTTPStatus.OK, path
        return answer.read().decode()


def test_counts_over_tls_with_password_and_certificate_and_shows_neither(place: Place) -> None:
    place.with_certificate()
    place.with_password()
    place.send([*READINGS, b"no reading"])
    port = free_port()
    events = place.folder / "events"
    events.mkdir()
    command = place.command(
        *("submit", "--scope", "both", "--snapshots", place.snapshots, "--trigger", "1s"),
        *("--conf", "spark.ui.enabled=true", "--conf", f"spark.ui.port={port}"),
        *("--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={events}"),
        *("--conf", "spark.eventLog.compress=false"),
    )
    line = execute(*command, "--print").stdout
    assert "spark-submit" in line
    with running(command, place.folder / "out") as process:
        until(lambda: any(line["idle"] for line in lines(place.snapshots)), process)
        shown = pages(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    first = lines(place.snapshots)[0]
    assert first["scopes"]["since_start"]["total_messages"] == len(READINGS)
    assert first["lag"] == 0
    for suffix, least in ((".dead-letter", 1), (".analytics", 2)):
        assert len(topic_records(place.brokers.plain_kafka, place.topic + suffix)) >= least
    assert "KafkaScan" in shown
    assert any(b"KafkaV2[Subscribe" in path.read_bytes() for path in events.rglob("events_*"))
    place.tells_no_secret(line, shown)

    (place.folder / "ck.ledger.duckdb").unlink()
    done = execute(*place.command("ledger", "rebuild"))
    assert done.returncode == 0, done.stderr
    assert "the ledger was rebuilt" in done.stderr
    place.tells_no_secret(done.stdout, done.stderr)


def test_counts_on_a_cluster_under_a_client_certificate(place: Place) -> None:
    place.with_certificate()
    place.send(READINGS)
    with cluster(place.folder) as master:
        command = [
            *("env", f"SPARK_CONF_DIR={configuration(place.folder)}"),
            *place.command(
                *("submit", "--available-now", "--snapshots", place.snapshots),
                *("--master", master, "--conf", "spark.executor.memory=512m"),
            ),
        ]
        with running(command, place.folder / "out") as process:
            assert process.wait(timeout=PATIENCE) == 0
    # The executors' own logs are among the files that are looked through.
    assert executors(place.folder) > 0
    (only,) = lines(place.snapshots)
    assert only["scopes"]["window"]["total_messages"] == len(READINGS)
    place.tells_no_secret()


def test_a_restarted_query_is_not_mute_and_its_plan_holds_no_secret(place: Place) -> None:
    place.with_certificate()
    place.with_password()
    place.send(READINGS)
    place.command()
    script = ROOT / "tests" / "aggregator" / "support" / "restarted_query.py"
    words = (script, place.folder / "aggregator.toml", place.folder / "ck")
    done = submit("--packages", packages(), *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["levels"] == ["ERROR", "ERROR"]
    assert "kafka.ssl.keystore.key" in found["plan"]
    (place.folder / "out").write_text(done.stdout + done.stderr)
    place.tells_no_secret()


def test_a_wrong_password_is_said_once_and_a_mended_file_is_enough(place: Place) -> None:
    place.with_password()
    (place.folder / "password").write_text("wrong")
    place.send(READINGS)
    command = place.command("submit", "--snapshots", place.snapshots, "--trigger", "1s")
    with running(command, place.folder / "out") as process:
        until(lambda: "no access to kafka" in place.said, process)
        refused = place.said
        (place.folder / "password").write_text(PASSWORD)
        until(lambda: any(line["lag"] == 0 for line in lines(place.snapshots)), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert topic_records(place.brokers.plain_kafka, f"{place.topic}.analytics")
    (line,) = (line for line in place.said.splitlines() if "no access" in line)
    assert "it does not take kafka.username with the password in kafka.password_file" in line
    assert "Traceback" not in refused
    assert "SaslAuthenticationException: Authentication failed" in line
    assert place.said.count("Authentication failed") == 1
    place.tells_no_secret()


@pytest.mark.parametrize(
    ("table", "sentence"),
    (
        ({"ca_file": "stranger.pem"}, "is not signed by an authority in kafka.ca_file"),
        ({"security_protocol": "SSL"}, "client certificate that it trusts: kafka.cert_file"),
    ),
)
def test_a_job_that_may_not_wait_ends_with_the_reason(
    place: Place, table: dict[str, str], sentence: str
) -> None:
    if "ca_file" in table:
        place.with_password()
        place.kafka["ca_file"] = str(place.brokers.stranger)
    else:
        place.with_certificate()
        del place.kafka["cert_file"], place.kafka["key_file"]
    # Long enough to be refused, also on a machine that does much else.
    done = execute(*place.command("submit", "--available-now", "--kafka-wait", "5s"))
    assert done.returncode == 3
    *before, last = done.stderr.splitlines()
    assert last.startswith("isotherm-aggregator: no access to Kafka at ")
    assert sentence in last
    assert "Traceback" not in done.stderr
    assert sum("no access to kafka" in line for line in before) == 1


def test_the_doctor_has_the_same_way_in_and_says_what_is_wrong_with_it(place: Place) -> None:
    place.with_certificate()
    done = execute(*place.command("doctor"))
    assert done.returncode == 0, done.stdout
    assert f"ok   kafka topic   {place.topic}: partitions" in done.stdout

    place.with_password()
    (place.folder / "password").chmod(0o644)
    done = execute(*place.command("doctor"))
    assert done.returncode == 0, done.stdout
    assert "warn secrets       kafka.password_file = " in done.stdout

    (place.folder / "password").write_text("another")
    done = execute(*place.command("doctor"))
    assert done.returncode == 3, done.stdout
    assert "kafka.username with the password in kafka.password_file" in done.stdout

    (place.folder / "password").unlink()
    done = execute(*place.command("doctor"))
    assert "fail secrets       kafka.password_file = " in done.stdout
    assert "fail kafka access  kafka.password_file = " in done.stdout
    assert done.returncode == 3, done.stdout
    assert SECRET not in done.stdout
