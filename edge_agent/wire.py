"""One connection to the broker as bytes: TCP or TLS, not blocking once it stands."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final, Self

from edge_agent.frames import BrokenFrameError, frame_length, pubacks

if TYPE_CHECKING:
    import ssl

    from edge_agent.frames import Puback
    from isotherm.settings.address import Address

READ_BYTES: Final = 16_384
"""Of the shortest packets these are 8,000, which take a turn some 20 ms to look at."""
WRITE_BYTES: Final = 65_536
MAX_PACKET: Final = 1 << 18
"""Bytes of the largest packet that we take: the broker's are short, but for our own status."""
_PUBLISH: Final = 0x30


class Wire:
    """Splits what comes into PUBACKs, in bulk, and other packets, whole.

    Args:
        sock: connected; the wire's from now on.
        tls: it speaks TLS.
    """

    def __init__(self, sock: socket.socket, *, tls: bool = False) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._rest = b""
        self._skip = 0
        self._busy: tuple[type[OSError], ...] = (BlockingIOError,)
        if tls:
            import ssl  # noqa: PLC0415 6 MB, which a device without TLS can do without

            self._busy = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.error: OSError | None = None
        """What ended it, if that was an error."""

    @classmethod
    def dial(cls, address: Address, tls: ssl.SSLContext | None, timeout: float) -> Self:
        """Connect, however long that takes: for a thread that has the time.

        Args:
            address: where to.
            tls: the context for TLS; None without.
            timeout: seconds for each address that the name has, and for each step of TLS.

        Raises:
            OSError: it cannot be had.
        """
        sock = socket.create_connection((address.host, address.port), timeout)
        try:
            # A tick's readings shall not wait for the PUBACKs of the last one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                sock = tls.wrap_socket(sock, server_hostname=address.host)
            return cls(sock, tls=tls is not None)
        except BaseException:
            sock.close()
            raise

    def fileno(self) -> int:
        """To wait on."""
        return self._sock.fileno()

    def pull(self) -> tuple[list[Puback], list[bytes], bool]:
        """Read once: PUBACKs, other packets, and whether to read again.

        Raises:
            BrokenFrameError: what came is no MQTT.
            EOFError: the connection has ended; `error` may say why.
        """
        try:
            data = self._sock.recv(READ_BYTES)
        except self._busy:
            return [], [], False
        except OSError as error:
            self.error = self.error or error
            raise EOFError from error
        if not data:
            raise EOFError
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        acks, packets = self._split(self._rest + data if self._rest else data)
        return acks, packets, True

    def push(self, data: memoryview) -> int:
        """Write once: how many bytes were taken; after an error, reading finds the end."""
        try:
            # OpenSSL wants what it could not write offered again, the same bytes first.
            return self._sock.send(data[:WRITE_BYTES])
        except self._busy:
            return 0
        except OSError as error:
            # What the broker said before it hung up may still be there to read, and says more.
            self.error = self._last_words() or error
            return len(data)

    def close(self) -> None:
        """End it without a word."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _split(self, data: bytes) -> tuple[list[Puback], list[bytes]]:
        acks: list[Puback] = []
        packets = []
        at = 0
        while at < len(data):
            found, at = pubacks(data, at)
            acks += found
            length = frame_length(data, at)
            if length is None:
                break
            if length > MAX_PACKET:
                if data[at] & 0xF0 != _PUBLISH:
                    raise BrokenFrameError("the broker sent a packet of an absurd length")
                # We said in CONNECT that we take none so large. Somebody may have put it where
                # our status belongs: it goes by, and our own takes its place.
                self._skip = max(0, at + length - len(data))
                at = min(at + length, len(data))
                continue
            if at + length > len(data):
                break
            packets.append(data[at : at + length])
            at += length
        self._rest = data[at:]
        return acks, packets

    def _last_words(self) -> OSError | None:
        try:
            self._sock.recv(1)
        except self._busy:
            return None
        except OSError as error:
            return error
        return None
