"""TLS and passwords of the bridge, from its settings to its clients' configuration.

Files are read when the bridge starts and when it makes a new Kafka client (see
`isotherm.settings.tls`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isotherm.kafka.access import KafkaAccess, access_of
from isotherm.settings.tls import TlsFiles, check_mqtt, client_context

if TYPE_CHECKING:
    import ssl

    from bridge.settings import BridgeSettings


def check(settings: BridgeSettings) -> None:
    """See that the settings can be meant together; no file is read.

    Raises:
        SettingsError: they cannot.
    """
    check_mqtt(
        _mqtt_files(settings),
        scheme=settings.mqtt.scheme,
        username=settings.username or settings.mqtt.username,
        password_file=settings.password_file,
    )
    kafka_access(settings).check()


def kafka_access(settings: BridgeSettings) -> KafkaAccess:
    """The bridge's way into Kafka."""
    return access_of(settings, settings.brokers)


def mqtt_context(settings: BridgeSettings) -> ssl.SSLContext | None:
    """For the MQTT connection; None without TLS.

    Raises:
        SettingsError: a file cannot be used.
    """
    return client_context(_mqtt_files(settings)) if settings.mqtt.scheme == "mqtts" else None


def kafka_python_security(settings: BridgeSettings) -> dict[str, Any]:
    """The configuration of TLS and SASL for kafka-python.

    Raises:
        SettingsError: a file cannot be used.
    """
    access = kafka_access(settings)
    made: dict[str, Any] = {"security_protocol": access.security_protocol}
    if access.tls:
        made["ssl_context"] = client_context(access.files)
    if access.sasl:
        made["sasl_mechanism"] = access.sasl_mechanism
        made["sasl_plain_username"] = access.username
        made["sasl_plain_password"] = access.password()
    return made


def check_files(settings: BridgeSettings) -> None:
    """See that every file can be used that the settings name.

    Raises:
        SettingsError: one cannot.
    """
    settings.password()
    mqtt_context(settings)
    kafka_access(settings).check_files()


def _mqtt_files(settings: BridgeSettings) -> TlsFiles:
    return TlsFiles("mqtt", settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file)
