from pathlib import Path

import pytest

from aggregator.stream.connector import connector_options
from aggregator.stream.session import connector_problem

PACKAGES = ("--packages", "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0")
JARS = (
    "org.apache.spark_spark-sql-kafka-0-10_2.13-4.2.0.jar",
    "org.apache.spark_spark-token-provider-kafka-0-10_2.13-4.2.0.jar",
    "org.apache.kafka_kafka-clients-3.9.2.jar",
    "org.apache.commons_commons-pool2-2.13.1.jar",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which Spark has fetched the connector, and another version of Kafka's client."""
    jars = tmp_path / ".ivy2.5.2" / "jars"
    jars.mkdir(parents=True)
    for name in (*JARS, "org.apache.kafka_kafka-clients-3.9.0.jar"):
        (jars / name).touch()
    record = tmp_path / ".ivy2.5.2/cache/org.apache.spark/spark-sql-kafka-0-10_2.13/ivy-4.2.0.xml"
    record.parent.mkdir(parents=True)
    record.write_text(
        '<dependency org="org.apache.spark" name="spark-token-provider-kafka-0-10_2.13" '
        'rev="4.2.0" force="true"/>\n'
        '<dependency org="org.apache.kafka" name="kafka-clients" rev="3.9.2"/>\n'
        '<dependency org="org.apache.commons" name="commons-pool2" rev="2.13.1"/>\n'
    )
    return tmp_path


def test_what_was_fetched_is_not_resolved_again(home: Path) -> None:
    option, jars = connector_options("4.2.0", home)
    assert option == "--jars"
    assert [Path(jar).name for jar in jars.split(",")] == list(JARS)
    assert connector_problem(f"file:{jars.split(',')[0]}", "4.2.0") is None


@pytest.mark.parametrize("gone", JARS)
def test_an_incomplete_set_is_fetched(home: Path, gone: str) -> None:
    (home / ".ivy2.5.2/jars" / gone).unlink()
    assert connector_options("4.2.0", home) == PACKAGES


def test_without_a_record_or_a_home_it_is_fetched(home: Path, tmp_path: Path) -> None:
    assert connector_options("4.2.0", tmp_path / "other") == PACKAGES
    assert connector_options("4.2.0", None) == PACKAGES
    assert connector_options("4.2.1", home)[0] == "--packages"
