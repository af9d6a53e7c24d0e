"""All checks in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.doctor.kafka import ask_kafka, check_kafka
from bridge.doctor.mqtt import check_library, check_mqtt
from bridge.doctor.mqtt_session import ask_mqtt
from bridge.doctor.sessions import ask_sessions, check_sessions
from bridge.service.service import lane_settings
from isotherm.doctor.clock import check_clock
from isotherm.doctor.secrets import check_secrets
from isotherm.kernel_clock import kernel_in_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.settings import BridgeSettings
    from isotherm.doctor.finding import Finding


def run_checks(settings: BridgeSettings) -> Iterator[Finding]:
    """Look at everything that the bridge depends on; each finding comes as soon as it is made.

    Raises:
        SettingsError: a file of a password or a certificate cannot be used.
    """
    yield from check_secrets(
        {
            "mqtt.password_file": settings.password_file,
            "mqtt.key_file": settings.mqtt_key_file,
            "kafka.password_file": settings.kafka_password_file,
            "kafka.key_file": settings.kafka_key_file,
        }
    )
    yield check_library()
    filters = [name for lane in lane_settings(settings) for name in lane.subscribe]
    yield from check_mqtt(
        ask_mqtt(settings, filters),
        url=str(settings.mqtt),
        version=settings.mqtt_version,
        session_expiry=int(settings.session_expiry),
        receive_maximum=settings.receive_maximum,
    )
    facts = ask_kafka(settings)
    yield from check_kafka(
        facts,
        brokers=settings.brokers,
        topics=(settings.topic, settings.dead_letter_topic),
        position_topic=settings.position_topic if settings.exactly_once else None,
        session_expiry=settings.session_expiry,
    )
    if settings.exactly_once and settings.position_topic in facts.topics:
        yield from check_sessions(ask_sessions(settings), settings)
    yield check_clock(kernel_in_sync(), "the times in dead letters and Kafka are wrong")
