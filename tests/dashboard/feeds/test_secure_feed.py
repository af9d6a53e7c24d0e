"""Snapshots out of a real Kafka that demands a password over TLS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aggregator.sinks.kafka import KafkaSink
from isotherm.kafka.access import KafkaAccess
from tests.dashboard.feeds.test_kafka import following
from tests.dashboard.support.fleet import snapshot
from tests.support import unique
from tests.support.secure_brokers import PASSWORD, USER, SecureBrokers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBrokers]:
    with SecureBrokers(tmp_path_factory.mktemp("secure")) as running:
        yield running


@pytest.fixture
def access(brokers: SecureBrokers, tmp_path: Path) -> KafkaAccess:
    (tmp_path / "password").write_text(PASSWORD)
    return KafkaAccess(
        brokers=brokers.kafka("SASL_SSL"),
        security_protocol="SASL_SSL",
        ca_file=str(brokers.authority),
        sasl_mechanism="SCRAM-SHA-256",
        username=USER,
        password_file=str(tmp_path / "password"),
    )


def test_the_page_reads_what_the_job_writes_with_a_password(
    brokers: SecureBrokers, access: KafkaAccess
) -> None:
    topic = unique("analytics")
    brokers.create_topics(topic)
    KafkaSink(access, topic).emit(snapshot(1))
    with following(access, topic) as kept:
        kept.await_batches(1)


def test_a_refusal_names_the_setting_until_the_file_is_mended(
    brokers: SecureBrokers, access: KafkaAccess, tmp_path: Path
) -> None:
    topic = unique("analytics")
    brokers.create_topics(topic)
    KafkaSink(access, topic).emit(snapshot(1))
    (tmp_path / "password").write_text("wrong-and-secret")
    with following(access, topic) as kept:
        kept.await_word("kafka.username with the password in kafka.password_file")
        (tmp_path / "password").write_text(PASSWORD)
        kept.await_batches(1)
    assert not any("wrong-and-secret" in source.why for source in kept.sources)
    strange = replace(access, ca_file=str(brokers.stranger))
    with following(strange, topic) as kept:
        kept.await_word("is not signed by an authority in kafka.ca_file")
