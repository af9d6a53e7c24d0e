"""From the settings to a connection, for `run` and for `replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from edge_agent.errors import MissingExtraError
from isotherm.errors import SettingsError
from isotherm.settings.tls import MQTT_TLS, TlsFiles, check_mqtt, client_context, read_secret

if TYPE_CHECKING:
    import ssl

    from edge_agent.mqtt.client import MqttLink
    from edge_agent.mqtt.paho_client import Target
    from isotherm.settings.address import Address

KEEPALIVE: Final = 30
"""Seconds, where no setting says so."""


class BrokerSettings(Protocol):
    """What both commands know of their broker; see their tables."""

    @property
    def mqtt(self) -> Address:
        """Where it is."""
        ...

    @property
    def version(self) -> str:
        """Which MQTT it speaks: auto, 5 or 3.1.1."""
        ...

    @property
    def proxy(self) -> Address | None:
        """What stands in front of it."""
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
    """See that `connect` can use every file that the settings name, and finds what it needs.

    Raises:
        SettingsError: a file cannot be used, or what a proxy needs is not installed.
        MissingExtraError: paho is not installed.
    """
    _client_modules()
    _password(settings)
    _context(settings)
    _proxy(settings)


def connect(
    settings: BrokerSettings,
    *,
    client_id: str,
    keepalive: float | None = None,
    status_topic: str | None = None,
) -> MqttLink:
    """A link to the broker, not opened yet; see `MqttLink` for the arguments.

    Raises:
        SettingsError: a file that the settings name cannot be used, or what a proxy needs is not
            installed.
        MissingExtraError: paho is not installed.
    """
    link, target = _client_modules()
    return link(
        target(
            address=settings.mqtt,
            client_id=client_id,
            username=_username(settings),
            password=_password(settings),
            tls=_context(settings),
            keepalive=int(keepalive or KEEPALIVE),
            proxy=_proxy(settings),
        ),
        status_topic=status_topic,
        version=settings.version,
    )


def _client_modules() -> tuple[type[MqttLink], type[Target]]:
    try:
        # It takes 8 MB, which commands without a broker can do without.
        from edge_agent.mqtt.client import MqttLink  # noqa: PLC0415 as above
        from edge_agent.mqtt.paho_client import Target  # noqa: PLC0415 as above
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "paho":
            raise
        raise MissingExtraError("paho-mqtt") from error
    return MqttLink, Target


def _username(settings: BrokerSettings) -> str | None:
    return settings.username or settings.mqtt.username


def _password(settings: BrokerSettings) -> str | None:
    return read_secret("mqtt.password_file", settings.password_file)


def _files(settings: BrokerSettings) -> TlsFiles:
    return TlsFiles("mqtt", settings.ca_file, settings.cert_file, settings.key_file)


def _context(settings: BrokerSettings) -> ssl.SSLContext | None:
    return client_context(_files(settings)) if settings.mqtt.scheme in MQTT_TLS else None


def _proxy(settings: BrokerSettings) -> dict[str, object] | None:
    """As paho takes it."""
    proxy = settings.proxy
    if proxy is None:
        return None
    try:
        import socks  # noqa: PLC0415 optional, and only for this
    except ImportError:
        fix = "needs PySocks, which is not installed; type: pip install 'isotherm[proxy]'"
        raise SettingsError("mqtt.proxy", str(proxy), fix) from None
    kinds = {"http": socks.HTTP, "socks5": socks.SOCKS5, "socks4": socks.SOCKS4}
    return {
        "proxy_type": kinds[proxy.scheme],
        "proxy_addr": proxy.host,
        "proxy_port": proxy.port,
    }
