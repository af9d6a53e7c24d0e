"""paho's client with its reading turned round: much at once, PUBACKs in bulk, the rest to paho.

paho reads a packet's head a byte at a time and keeps a record of each message. `_sock_recv`, the
one place where it reads, is served from what is left once the PUBACKs are taken out, always whole
packets. tests/edge_agent/test_link.py fails if a new paho goes about this differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from edge_agent.frames import BrokenFrameError, frame_length, pubacks

if TYPE_CHECKING:
    import ssl

    from edge_agent.frames import Puback

READ_BYTES: Final = 65_536
WRITE_BYTES: Final = 65_536
MAX_PACKET: Final = 1 << 18
"""Bytes of the largest packet that we take: the broker's are short, but for our own status."""


class Stream(Client):
    """One TCP or TLS connection at a time, not blocking once it stands; MQTT v5.

    Args:
        client_id: names the session at the broker.
        username: None for a broker that asks for none.
        password: None where there is none.
        tls: the context for ``mqtts``; None without TLS.
    """

    def __init__(
        self,
        client_id: str,
        *,
        username: str | None,
        password: str | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        if username is not None:
            self.username_pw_set(username, password)
        if tls is not None:
            self.tls_set_context(tls)
        self._rest = b""
        self._for_paho = b""
        self.read_error: OSError | None = None
        """What ended the connection; paho forgets it."""

    def forget(self) -> None:
        """Begin a new connection with nothing read of the old one."""
        self._rest = self._for_paho = b""
        self.read_error = None

    def pull(self) -> tuple[list[Puback], bool]:
        """Read once: the PUBACKs that came, and whether anything came at all.

        All other packets are paho's, and so is the end of the connection.

        Raises:
            BrokenFrameError: what came is no MQTT.
        """
        try:
            data = super()._sock_recv(READ_BYTES)
        except BlockingIOError:
            return [], False
        except OSError as error:
            self.read_error = error
            data = b""
        if not data:
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            return [], False
        return self._split(self._rest + data), True

    def push(self, data: memoryview) -> int:
        """Write once: how many bytes the socket took.

        Raises:
            BlockingIOError: it takes none at the moment.
            OSError: the connection is gone.
        """
        # OpenSSL wants what it could not write offered again, the same bytes first.
        return self._sock_send(cast("Any", data[:WRITE_BYTES]))

    def cut(self) -> None:
        """End the connection without a goodbye; paho hears of it as of any other end."""
        if self.socket() is not None:
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def _split(self, data: bytes) -> list[Puback]:
        acks: list[Puback] = []
        at = 0
        while at < len(data):
            found, size = pubacks(data[at:] if at else data)
            acks += found
            at += size
            length = frame_length(data[at : at + 5])
            if length is None:
                break
            if length > MAX_PACKET:
                raise BrokenFrameError("the broker sent a packet of an absurd length")
            if at + length > len(data):
                break
            self._for_paho = data[at : at + length]
            at += length
            super().loop_read()
            if self.socket() is None:
                return acks
        self._rest = data[at:]
        return acks

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except BlockingIOError:
            raise
        except OSError as error:
            self.read_error = self._last_words() or error
            raise

    def _last_words(self) -> OSError | None:
        """What the broker said before it hung up, such as that it wants a certificate."""
        try:
            super()._sock_recv(1)
        except BlockingIOError:
            return None
        except OSError as error:
            return error
        return None

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._for_paho:
            return super()._sock_recv(bufsize)
        data, self._for_paho = self._for_paho[:bufsize], self._for_paho[bufsize:]
        return data
