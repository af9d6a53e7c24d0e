"""Another way into paho's byte stream, by its public interface alone.

paho has no public hook for its bytes, but it lets the caller give the TLS context that makes its
socket (`tls_set_context`). The context that is given here makes a `Tap`, with TLS or without: a
socket from which paho reads what it is left, and between whose packets ours go out.
"""

from __future__ import annotations

import contextlib
import errno
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

from bridge.mqtt.client import BulkClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.enums import MQTTErrorCode

# What a TLS socket raises where a plain one raises BlockingIOError.
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Tap:
    """What paho takes for its socket.

    Reading is for the network thread alone; `queue` is for any.

    Args:
        connection: the real socket, with TLS or without.
        for_paho: gives what paho is to read next, at most so many bytes.
    """

    def __init__(self, connection: Any, for_paho: Callable[[int], bytes]) -> None:
        self._connection = connection
        self._for_paho = for_paho
        self._ended: Exception | None = None
        self._at_end = False
        self._lock = threading.Lock()
        self._queued = bytearray()
        self._amid = False
        """Whether paho has sent a part of a packet: nothing may come between."""

    def __getattr__(self, name: str) -> Any:
        """All else is the real socket's: fileno, close, setblocking, pending and so on."""
        return getattr(self._connection, name)

    def do_handshake(self) -> None:
        """That of TLS, if the socket has it."""
        if hasattr(self._connection, "do_handshake"):
            self._connection.do_handshake()

    @property
    def queued(self) -> bool:
        """Whether packets of ours wait."""
        return bool(self._queued)

    def queue(self, packets: bytes) -> None:
        """Have whole packets go out, in order; from any thread."""
        with self._lock:
            self._queued += packets

    def read(self, most: int) -> bytes:
        """Read from the real socket; see `BulkClient.read_bytes`."""
        try:
            data: bytes = self._connection.recv(most)
        except _NOT_NOW:
            raise BlockingIOError from None
        except OSError as error:
            self._ended = error
            raise
        self._at_end = not data
        return data

    def recv(self, most: int) -> bytes:
        """What paho reads: what it is left, and then the end that `read` met."""
        if data := self._for_paho(most):
            return data
        if self._ended is not None:
            raise self._ended
        if self._at_end:
            return b""
        if self._connection.fileno() < 0:
            raise OSError(errno.EBADF, "the socket is closed")
        raise BlockingIOError

    def send(self, data: bytes) -> int:
        """What paho writes, behind what was queued before; how much of it was taken."""
        with self._lock:
            if not self._amid:
                self._flush()
                if self._queued:
                    raise BlockingIOError
            # OpenSSL wants the same bytes again after "not now", so that is amid, too.
            self._amid = True
            sent: int = self._connection.send(data)
            self._amid = sent < len(data)
            return sent

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it; an error is found by `read`."""
        with self._lock, contextlib.suppress(OSError):
            if not self._amid:
                self._flush()

    def _flush(self) -> None:
        while self._queued:
            try:
                sent = self._connection.send(self._queued)
            except _NOT_NOW:
                return
            del self._queued[:sent]


class _TapContext(ssl.SSLContext):
    """Gives paho a `Tap` where it asks for a TLS socket.

    Args:
        tls: makes the real one; None where there is no TLS.
        made: takes the tap of each new connection and completes it.
    """

    def __new__(cls, *_arguments: object) -> Self:
        # Its own settings are used for nothing: the certificate is checked by `tls`, and that
        # `check_hostname` is on here keeps paho from checking names a second time.
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, tls: ssl.SSLContext | None, made: Callable[[Any], Tap]) -> None:
        self._tls = tls
        self._made = made

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> Any:
        """See `ssl.SSLContext.wrap_socket`."""
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, *arguments, **options)
        return self._made(sock)


class PublicNamesClient(BulkClient):
    """See `BulkClient`."""

    _tap: Tap | None = None

    def secure(self, tls: ssl.SSLContext | None) -> None:
        """See `BulkClient.secure`."""
        self.tls_set_context(_TapContext(tls, self._connected_by))

    def read_bytes(self, most: int) -> bytes:
        """See `BulkClient.read_bytes`."""
        if self._tap is None:
            raise OSError(errno.ENOTCONN, "paho made no socket by the context that it was given")
        return self._tap.read(most)

    def send_packets(self, packets: bytes) -> None:
        """See `BulkClient.send_packets`."""
        # Where there is no connection, nothing is to be sent either.
        if self._tap is not None:
            self._tap.queue(packets)
            self.wake()

    def wants_to_write(self) -> bool:
        """See `BulkClient.wants_to_write`."""
        return self.want_write() or (self._tap is not None and self._tap.queued)

    def loop_write(self) -> MQTTErrorCode:
        """Send what waits: paho's packets, and ours."""
        result = super().loop_write()
        if self._tap is not None and self.socket() is not None:
            self._tap.flush()
        return result

    def _connected_by(self, connection: Any) -> Tap:
        self._tap = Tap(connection, self.next_for_paho)
        return self._tap
