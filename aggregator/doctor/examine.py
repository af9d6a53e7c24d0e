"""All checks in turn."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aggregator.doctor.folders import check_place, look, wanted
from aggregator.doctor.kafka import Where, check_kafka
from aggregator.doctor.kafka_client import ask_kafka
from aggregator.doctor.machine import available_bytes, check_machine, cores
from aggregator.doctor.programs import check_programs
from aggregator.doctor.state import State
from aggregator.kafka.java import check_access
from aggregator.kafka.topic_identity import noted_topic
from aggregator.sinks.factory import secrets, topics
from isotherm.doctor.clock import check_clock
from isotherm.doctor.finding import fail
from isotherm.doctor.secrets import check_secrets
from isotherm.errors import SettingsError
from isotherm.kernel_clock import kernel_in_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.settings import AggregatorSettings
    from isotherm.doctor.finding import Finding


def examine(settings: AggregatorSettings) -> Iterator[Finding]:
    """Look at everything that the job depends on; each finding comes as soon as it is made.

    Raises:
        SettingsError: a ledger is wanted, and nobody said where.
    """
    yield from check_programs(os.environ)
    yield from check_secrets(
        {
            "kafka.password_file": settings.kafka_password_file,
            "kafka.key_file": settings.kafka_key_file,
            **secrets(settings.sinks),
        }
    )
    for what, path, folder in wanted(settings):
        yield from check_place(look(what, path, folder=folder))
    state = State(settings)
    yield from state.check()
    yield from _access(settings)
    others = dict(_others(settings))
    facts = ask_kafka(settings, (settings.topic, *others), state.checkpoint.position)
    yield from check_kafka(
        facts,
        brokers=settings.kafka,
        topic=settings.topic,
        others=others,
        where=Where(state.checkpoint.position, noted_topic(settings.checkpoint_folder)),
    )
    readings = facts.topics.get(settings.topic)
    yield from check_machine(
        available_bytes(), cores(), None if readings is None else readings.partitions
    )
    yield check_clock(kernel_in_sync(), "`late`, `future` and the age of snapshots are wrong")


def _access(settings: AggregatorSettings) -> Iterator[Finding]:
    try:
        check_access(settings.access)
    except SettingsError as error:
        yield fail("kafka access", str(error))


def _others(settings: AggregatorSettings) -> Iterator[tuple[str, str]]:
    if settings.dead_letter_topic is not None:
        yield settings.dead_letter_topic, "name another with --dead-letters, or --dead-letters off"
    yield from topics(settings.sinks)
