"""From the settings to a connection, for `run` and for `replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge_agent.mqtt import KEEPALIVE, MqttLink
from isotherm.settings.tls import TlsFiles, check_mqtt, client_context, read_secret

if TYPE_CHECKING:
    import ssl

    from isotherm.settings.address import Address


class BrokerSettings(Protocol):
    """What both commands know of their broker; see their tables."""

    @property
    def mqtt(self) -> Address:
        """Where it is."""
        ...

    @property
    def username(self) -> str | None:
        """Who connects, if the address does not say so."""
        ...

    @property
    def password_file(self) -> str | None:
        """Where the password stands."""
        ...

    @property
    def ca_file(self) -> str | None:
        """Whom to trust."""
        ...

    @property
    def cert_file(self) -> str | None:
        """Who we are."""
        ...

    @property
    def key_file(self) -> str | None:
        """What proves it."""
        ...


def check(settings: BrokerSettings) -> None:
    """See that the settings can be meant together; no file is read.

    Raises:
        SettingsError: they cannot.
    """
    check_mqtt(
        _files(settings),
        scheme=settings.mqtt.scheme,
        username=_username(settings),
        password_file=settings.password_file,
    )


def check_files(settings: BrokerSettings) -> None:
    """See that every file can be used that the settings name.

    Raises:
        SettingsError: one cannot.
    """
    _password(settings)
    _context(settings)


def connect(
    settings: BrokerSettings,
    *,
    client_id: str,
    keepalive: float | None = None,
    status_topic: str | None = None,
) -> MqttLink:
    """A link to the broker, not opened yet; see `MqttLink` for the arguments.

    Raises:
        SettingsError: a file that the settings name cannot be used.
    """
    return MqttLink(
        settings.mqtt,
        client_id=client_id,
        username=_username(settings),
        password=_password(settings),
        tls=_context(settings),
        keepalive=int(keepalive or KEEPALIVE),
        status_topic=status_topic,
    )


def _username(settings: BrokerSettings) -> str | None:
    return settings.username or settings.mqtt.username


def _password(settings: BrokerSettings) -> str | None:
    return read_secret("mqtt.password_file", settings.password_file)


def _files(settings: BrokerSettings) -> TlsFiles:
    return TlsFiles("mqtt", settings.ca_file, settings.cert_file, settings.key_file)


def _context(settings: BrokerSettings) -> ssl.SSLContext | None:
    return client_context(_files(settings)) if settings.mqtt.scheme == "mqtts" else None
