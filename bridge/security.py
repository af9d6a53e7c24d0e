"""TLS and passwords: from the settings to a TLS context and to the Kafka clients' configuration.

Files are read when the bridge starts and when it makes a new Kafka client (see `contract.tls`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from contract.errors import SettingsError
from contract.tls import TlsFiles, check_mqtt, check_pair, client_context, read_secret, refuse

if TYPE_CHECKING:
    import ssl

    from bridge.settings import BridgeSettings

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TLS: Final = ("SSL", "SASL_SSL")
_SASL: Final = ("SASL_PLAINTEXT", "SASL_SSL")


def check(settings: BridgeSettings) -> None:
    """See that the settings can be meant together; no file is read.

    Raises:
        SettingsError: they cannot.
    """
    kafka = _kafka_files(settings)
    check_mqtt(
        _mqtt_files(settings),
        scheme=settings.mqtt.scheme,
        username=settings.username or settings.mqtt.username,
        password_file=settings.password_file,
    )
    check_pair(kafka)
    _check_kafka(settings, kafka)


def mqtt_context(settings: BridgeSettings) -> ssl.SSLContext | None:
    """For the MQTT connection; None without TLS.

    Raises:
        SettingsError: a file cannot be used.
    """
    return client_context(_mqtt_files(settings)) if settings.mqtt.scheme == "mqtts" else None


def librdkafka_security(settings: BridgeSettings) -> dict[str, Any]:
    """The configuration of TLS and SASL for librdkafka.

    Raises:
        SettingsError: a file cannot be used.
    """
    protocol, files = settings.security_protocol, _kafka_files(settings)
    made: dict[str, Any] = {"security.protocol": protocol}
    if protocol in _TLS:
        client_context(files)  # librdkafka says less about a file that it cannot use
        made["ssl.ca.location"] = files.ca_file
        made["ssl.certificate.location"] = files.cert_file
        made["ssl.key.location"] = files.key_file
    if protocol in _SASL:
        made["sasl.mechanism"] = settings.sasl_mechanism
        made["sasl.username"] = settings.kafka_username
        made["sasl.password"] = _kafka_password(settings)
    return {key: value for key, value in made.items() if value is not None}


def kafka_python_security(settings: BridgeSettings) -> dict[str, Any]:
    """The same for kafka-python.

    Raises:
        SettingsError: a file cannot be used.
    """
    protocol = settings.security_protocol
    made: dict[str, Any] = {"security_protocol": protocol}
    if protocol in _TLS:
        made["ssl_context"] = client_context(_kafka_files(settings))
    if protocol in _SASL:
        made["sasl_mechanism"] = settings.sasl_mechanism
        made["sasl_plain_username"] = settings.kafka_username
        made["sasl_plain_password"] = _kafka_password(settings)
    return made


def suspects(settings: BridgeSettings) -> str:
    """What to look at if Kafka hangs up without a reason."""
    login = ", kafka.username, kafka.password_file" if settings.security_protocol in _SASL else ""
    return f"if it stays so, look at kafka.security_protocol{login}"


def check_files(settings: BridgeSettings) -> None:
    """See that every file can be used that the settings name.

    Raises:
        SettingsError: one cannot.
    """
    settings.password()
    mqtt_context(settings)
    kafka_python_security(settings)


def _check_kafka(settings: BridgeSettings, files: TlsFiles) -> None:
    protocol = settings.security_protocol
    if protocol not in _TLS:
        refuse(
            files.given(),
            f"has no effect with kafka.security_protocol = {protocol}; write SSL or SASL_SSL",
        )
    login = {
        "kafka.sasl_mechanism": settings.sasl_mechanism,
        "kafka.username": settings.kafka_username,
        "kafka.password_file": settings.kafka_password_file,
    }
    if protocol not in _SASL:
        refuse(
            {key: value for key, value in login.items() if value},
            f"has no effect with kafka.security_protocol = {protocol}; write SASL_SSL",
        )
    elif missing := [key for key, value in login.items() if not value]:
        raise SettingsError("kafka.security_protocol", protocol, f"set {', '.join(missing)} too")


def _mqtt_files(settings: BridgeSettings) -> TlsFiles:
    return TlsFiles("mqtt", settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file)


def _kafka_files(settings: BridgeSettings) -> TlsFiles:
    return TlsFiles(
        "kafka", settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
    )


def _kafka_password(settings: BridgeSettings) -> str | None:
    return read_secret("kafka.password_file", settings.kafka_password_file)
