"""TLS and passwords of the bridge, from its settings to its clients' configuration.

Files are read when the bridge starts and when it makes a new Kafka client (see
`isotherm.settings.tls`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from isotherm.kafka.access import KafkaAccess, access_of
from isotherm.settings.tls import TlsFiles, check_mqtt, client_context

if TYPE_CHECKING:
    import ssl

    from isotherm.settings.address import Address


class Access(Protocol):
    """What the settings of a bridge say of its way into MQTT and Kafka; their table has more."""

    @property
    def mqtt(self) -> Address:
        """The MQTT broker."""

    @property
    def username(self) -> str | None:
        """User name for it."""

    @property
    def password_file(self) -> str | None:
        """File with the password for it."""

    @property
    def mqtt_ca_file(self) -> str | None:
        """Certificates to trust, PEM."""

    @property
    def mqtt_cert_file(self) -> str | None:
        """Client certificate, PEM."""

    @property
    def mqtt_key_file(self) -> str | None:
        """Its key, PEM."""

    @property
    def brokers(self) -> str:
        """The Kafka brokers."""

    def password(self) -> str | None:
        """The MQTT password."""


def check(settings: Access) -> None:
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


def kafka_access(settings: Access) -> KafkaAccess:
    """The bridge's way into Kafka."""
    return access_of(settings, settings.brokers)


def mqtt_context(settings: Access) -> ssl.SSLContext | None:
    """For the MQTT connection; None without TLS.

    Raises:
        SettingsError: a file cannot be used.
    """
    return client_context(_mqtt_files(settings)) if settings.mqtt.scheme == "mqtts" else None


def kafka_python_security(settings: Access) -> dict[str, Any]:
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


def check_files(settings: Access) -> None:
    """See that every file can be used that the settings name.

    Raises:
        SettingsError: one cannot.
    """
    settings.password()
    mqtt_context(settings)
    kafka_access(settings).check_files()


def _mqtt_files(settings: Access) -> TlsFiles:
    return TlsFiles("mqtt", settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file)
