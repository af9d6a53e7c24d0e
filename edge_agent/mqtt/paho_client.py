"""paho's client for one connection, with the settings that leave all decisions to the agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.mqtt.events import MQTT_5, Down
from edge_agent.mqtt.transport import MAX_PACKET
from isotherm.settings.refusal import refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from edge_agent.mqtt.events import Will
    from edge_agent.mqtt.transport import Network
    from isotherm.settings.address import Address

_WEBSOCKETS: Final = {"ws": 80, "wss": 443}


def _with_all_codes(names: Mapping[int, Mapping[str, list[int]]]) -> dict[int, Any]:
    """Names of reason codes, as `ReasonCode.names` has them, with one for each code there may be.

    To paho a code that the specification does not give to a packet is no MQTT. mosquitto answers
    PUBACK 0x95 to what is too large for it, and whatever stands there tells of one message alone.
    """
    heard = {
        PacketTypes.CONNACK,
        PacketTypes.PUBACK,
        PacketTypes.SUBACK,
        PacketTypes.UNSUBACK,
        PacketTypes.DISCONNECT,
    }
    found: dict[int, Any] = {code: dict(names.get(code, {})) for code in (*names, *range(256))}
    for code, by_name in found.items():
        named = {packet for packets in by_name.values() for packet in packets}
        if heard - named:
            by_name[f"0x{code:02x}"] = sorted(heard - named)
    return found


ReasonCode.names = _with_all_codes(ReasonCode.names)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A broker, and who connects to it.

    Attributes:
        address: of the broker.
        client_id: names the session at the broker; two clients with one name throw each other out.
        username: None for a broker that asks for none.
        password: None where there is none.
        tls: the context for ``mqtts`` and ``wss``; None without TLS.
        keepalive: seconds.
        proxy: what `Client.proxy_set` takes; None leaves it to the environment.
    """

    address: Address
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    keepalive: int = 30
    proxy: Mapping[str, object] | None = None

    @property
    def websockets(self) -> bool:
        """Whether MQTT goes over WebSockets."""
        return self.address.scheme in _WEBSOCKETS

    def client(self, network: Network, version: str, will: Will | None, timeout: float) -> Client:
        """A client, not connected.

        Args:
            network: what it connects over.
            version: of MQTT.
            will: what the broker shall publish should we vanish.
            timeout: seconds for each step of connecting.
        """
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            protocol=(
                MQTTProtocolVersion.MQTTv5 if version == MQTT_5 else MQTTProtocolVersion.MQTTv311
            ),
            transport="websockets" if self.websockets else "tcp",
            # Else it would connect again in the middle of our loop.
            reconnect_on_failure=False,
        )
        client.connect_timeout = timeout
        client.max_inflight_messages = 0
        client.tls_set_context(cast("ssl.SSLContext", network))
        if self.websockets:
            client.ws_set_options(self.address.path or "/mqtt", self._http_headers)
        if self.proxy is not None:
            client.proxy_set(**self.proxy)
        if self.username is not None:
            client.username_pw_set(self.username, self.password)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        # With it set, paho writes when we say so, and never from within its other calls.
        client.on_socket_register_write = lambda *_: None
        return client

    def connect(self, client: Client, version: str) -> None:
        """Connect, however long that takes: for a thread that has the time.

        Raises:
            Exception: whatever paho, TLS or the network raises.
        """
        version_5: dict[str, Any] = {}
        if version == MQTT_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAX_PACKET
            # The window sends again what was under way; a session would add nothing but DUP.
            version_5 = {"clean_start": True, "properties": properties}
        client.connect(self.address.host, self.address.port, self.keepalive, **version_5)

    def _http_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """Those of the WebSocket request, as of the address: paho takes each for one with TLS."""
        address = self.address
        place = f"[{address.host}]" if ":" in address.host else address.host
        if address.port != _WEBSOCKETS[address.scheme]:
            place += f":{address.port}"
        scheme = "https" if self.tls is not None else "http"
        return {**headers, "Host": place, "Origin": f"{scheme}://{place}"}


def failed(target: Target, error: Exception) -> Down:
    """What an error says to a person."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _of_proxy(target, error):
        return Down(f"the proxy does not let us through: {' '.join(words.split())}")
    refused = refusal("mqtt", words)
    if refused is None and target.tls is not None and isinstance(error, ConnectionResetError):
        words += " (it hung up at once; does it speak TLS at this port?)"
    return Down(refused or words, refused=refused is not None)


def _of_proxy(target: Target, error: Exception) -> bool:
    """Whether PySocks says it, which is imported only where a proxy is used."""
    garbled = target.proxy is not None and isinstance(error, UnicodeDecodeError)
    return garbled or type(error).__module__ == "socks"
