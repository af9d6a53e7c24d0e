"""How to connect to the MQTT broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from isotherm.settings.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How to connect.

    Attributes:
        address: of the MQTT broker; scheme ``mqtt`` or ``mqtts``.
        client_id: names the session; keep it over restarts, or the broker keeps messages for a
            session that nobody resumes.
        filters: topic filters to subscribe to at QoS 1.
        version: 5 or 3 (3.1.1).
        receive_maximum: how many unacknowledged messages the broker may send (MQTT 5.0 only).
        max_packet_size: bytes; no larger packet is taken. It is announced to MQTT 5.0 brokers
            (section 3.1.2.11.4), which then drop a larger message for this session.
        session_expiry: how long the broker keeps the session while we are away, seconds.
        username, password: None where the broker asks for none.
        tls: the context for ``mqtts``.
    """

    address: Address
    client_id: str
    filters: tuple[str, ...]
    version: int = 5
    receive_maximum: int = 20_000
    max_packet_size: int = 4 * 1024 * 1024
    session_expiry: int = 7 * 86400
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None

    @property
    def modern(self) -> bool:
        """Whether it is MQTT 5.0."""
        return self.version == 5  # noqa: PLR2004 the protocol's own number
