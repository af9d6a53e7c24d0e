"""The socket below paho: TCP or TLS, with bounds on what comes in, and with what ended it.

paho asks its TLS context for the socket that it reads and writes, be it with WebSockets or without.
That is the only public place at which a program gets between paho and the network, so `Network` is
such a context, for connections without TLS too. It is worth it: paho reads a header byte by byte,
keeps the cause of an end to itself, takes a packet of 256 MB from whoever sends one, and loses a
packet that WebSockets could send in part only.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from collections import deque
from typing import Final

MAX_PACKET: Final = 1 << 18
"""Bytes of the largest packet that we take: the broker's are short, but for our own status."""
MAX_FRAME: Final = MAX_PACKET
_LONG: Final = {126: 2, 127: 8}
"""Bytes of the length, by what stands in its place."""
_MASKED: Final = 0x80
_CONTROL: Final = 0x08
_MORE: Final = 0x80
_HEAD: Final = 2
_LONGEST_HEAD: Final = 5
READ_BYTES: Final = 4_096
"""Of the shortest packets these are 2,000, which take a turn some 20 ms to look at."""
MOST_AT_ONCE: Final = 1 << 20
"""Bytes that one call of paho's may read: it keeps messages at QoS 2, which nobody asked for."""
WRITE_BYTES: Final = 65_536
MAX_UNSENT: Final = 32 << 20
"""Bytes that wait for the broker to read them, above which nothing more is read of what it sends:
our own are fewer, and answers to its pings shall not pile up."""
MAX_HANDSHAKE: Final = 65_536
"""Bytes of an HTTP answer to a WebSocket request."""

_BUSY: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TooLongError(OSError):
    """What the broker sends is longer than anything that it may send us."""

    def __init__(self) -> None:
        super().__init__("the broker sent a packet of an absurd length")


class FrameBound:
    """Follows the WebSocket frames of one connection, and the packets in them.

    Of WebSockets, paho keeps a frame until all of it has come, and of MQTT a packet, however long
    they say that they are. Over TCP paho says how much of a packet it still wants; over WebSockets
    only the bytes show it (RFC 6455, section 5.2).
    """

    def __init__(self) -> None:
        self._head = b""
        self._frame = 0
        self._control = False
        self._packet_head = b""
        self._packet = 0

    def see(self, data: bytes) -> None:
        """These bytes came next.

        Raises:
            TooLongError: of a frame, or of a packet.
        """
        at = 0
        while at < len(data):
            if self._frame:
                part = data[at : at + self._frame]
                self._frame -= len(part)
                at += len(part)
                if not self._control:
                    self._see_packets(part)
                continue
            self._head += data[at : at + 1]
            at += 1
            if len(self._head) >= _HEAD:
                self._begin_frame(self._head)

    def _begin_frame(self, head: bytes) -> None:
        more = _LONG.get(head[1] & ~_MASKED, 0)
        if len(head) < _HEAD + more:
            return
        length = int.from_bytes(head[_HEAD:]) if more else head[1] & ~_MASKED
        # A server never masks (section 5.1); what is masked could not be followed.
        if head[1] & _MASKED or length > MAX_FRAME:
            raise TooLongError
        self._head, self._frame, self._control = b"", length, bool(head[0] & _CONTROL)

    def _see_packets(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            skipped = min(self._packet, len(data) - at)
            self._packet -= skipped
            at += skipped
            if self._packet or at >= len(data):
                return
            self._packet_head += data[at : at + 1]
            at += 1
            head = self._packet_head
            if len(head) < _HEAD or (head[-1] & _MORE and len(head) < _LONGEST_HEAD):
                continue
            length = sum((byte & ~_MORE) << 7 * place for place, byte in enumerate(head[1:]))
            if length > MAX_PACKET:
                raise TooLongError
            self._packet_head, self._packet = b"", length


def masked(frame: bytes | bytearray) -> bytes | bytearray:
    """A frame as a client has to send it (RFC 6455, section 5.3).

    paho leaves out the mask of what it answers to a ping, at which servers end the connection.
    """
    if frame[1] & _MASKED:
        return frame
    head = _HEAD + _LONG.get(frame[1], 0)
    key = os.urandom(4)
    data = bytes(byte ^ key[at % 4] for at, byte in enumerate(frame[head:]))
    return bytes((frame[0], frame[1] | _MASKED)) + frame[_HEAD:head] + key + data


class Network:
    """What paho takes for its TLS context; makes one `Transport`.

    Args:
        tls: the real context; None without TLS.
        timeout: seconds for TLS, and again for WebSockets.
        websockets: the connection speaks WebSockets.
    """

    check_hostname: Final = True
    """Says that paho need not check the name: the real context does."""

    def __init__(self, tls: ssl.SSLContext | None, timeout: float, *, websockets: bool) -> None:
        self._tls = tls
        self._timeout = timeout
        self._websockets = websockets
        self.transport: Transport | None = None

    def wrap_socket(
        self,
        sock: socket.socket,
        *,
        server_hostname: str | None = None,
        do_handshake_on_connect: bool = False,
    ) -> Transport:
        """The transport over a connected socket.

        Raises:
            ValueError: the name cannot stand in a certificate.
        """
        try:
            # A tick's readings shall not wait for the PUBACKs of the last one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(
                    sock,
                    server_hostname=server_hostname,
                    do_handshake_on_connect=do_handshake_on_connect,
                )
        except BaseException:
            sock.close()
            raise
        bound = FrameBound() if self._websockets else None
        self.transport = transport = Transport(sock, self._timeout, bound)
        return transport

    def close(self) -> None:
        """Close what was made."""
        if self.transport is not None:
            self.transport.close()


class Transport:
    """One connection as bytes: blocking while it is made, and never from then on.

    Args:
        sock: connected; the transport's from now on.
        timeout: seconds for what goes before MQTT, once TLS stands.
        bound: sees what comes over WebSockets; None without them.
    """

    def __init__(self, sock: socket.socket, timeout: float, bound: FrameBound | None) -> None:
        self._sock = sock
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._bound = bound
        self._made = False
        self._came = b""
        self._at = 0
        self._allowed = MAX_HANDSHAKE
        self._chunks: deque[bytes | bytearray] = deque()
        self._waiting = 0
        self.linger = 0.0
        """Seconds that closing waits for what is not sent yet."""
        self.dry = False
        """The network had nothing more at the last look."""
        self.error: OSError | None = None
        """What ended it, if that was an error."""
        self.heard = self.moved = time.monotonic()
        """When a byte came, and when one went: seconds of the monotonic clock."""

    @property
    def unread(self) -> bool:
        """Whether bytes have come that do not show on the socket."""
        return self._at < len(self._came) or self.pending() > 0

    @property
    def unsent(self) -> bool:
        """Whether bytes wait for the broker to read them."""
        return self._waiting > 0

    def allow(self) -> None:
        """Let the next call of paho's read, up to a bound."""
        self._allowed = MOST_AT_ONCE
        self.dry = False

    def recv(self, size: int) -> bytes:
        """What came, at most `size` bytes; nothing at the end.

        Raises:
            BlockingIOError: nothing has come.
            OSError: it ended; or what comes is longer than any packet for us.
        """
        try:
            if size > MAX_PACKET:
                raise TooLongError
            if self._at >= len(self._came):
                self._fill()
        except BlockingIOError:
            raise
        except OSError as error:
            self.error = error
            raise
        data = self._came[self._at : self._at + size]
        self._at += size
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Take all of `data`; `flush` sends it."""
        if self._made:
            # Paho makes each of these anew, so it is not copied; over WebSockets it is a frame.
            chunk = data if self._bound is None else masked(data)
            self._chunks.append(chunk)
            self._waiting += len(chunk)
        else:
            self._sock.sendall(data)
        return len(data)

    def flush(self) -> None:
        """Send what the broker takes now."""
        while self._chunks:
            data = self._gather()
            sent = self.push(data)
            self._waiting -= sent
            if sent < len(data):
                self._chunks.appendleft(data[sent:] if sent else data)
            if not sent:
                return
            self.moved = time.monotonic()

    def push(self, data: bytes | bytearray) -> int:
        """Write once: how many bytes were taken; after an error, reading finds the end."""
        try:
            return self._sock.send(data)
        except _BUSY:
            return 0
        except OSError as error:
            # What the broker said before it hung up may still be there to read, and says more.
            self.error = self.error or error
            return len(data)

    def close(self) -> None:
        """End it without a word."""
        if self._chunks and self.linger:
            writable = select.poll()
            writable.register(self._sock, select.POLLOUT)
            writable.poll(self.linger * 1000)
            self.flush()
        self._chunks.clear()
        self._waiting = 0
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def fileno(self) -> int:
        """To wait on; -1 once it is closed."""
        return self._sock.fileno()

    def pending(self) -> int:
        """Bytes that TLS has read ahead."""
        return self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0

    def settimeout(self, seconds: float) -> None:
        """As a socket's."""
        self._sock.settimeout(seconds)

    def do_handshake(self) -> None:
        """Of TLS, if there is one.

        Raises:
            OSError: one of the two sides does not want the other.
        """
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.do_handshake()
        self._deadline = time.monotonic() + self._timeout

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 as a socket's
        """As a socket's; the connection is made."""
        self._sock.setblocking(flag)
        self._made = True
        if self._bound is not None:
            self._bound.see(self._came[self._at :])

    def _gather(self) -> bytes | bytearray:
        """What goes next: many short packets at once, or a long one."""
        data = self._chunks.popleft()
        if not self._chunks or len(data) >= WRITE_BYTES:
            return data
        parts, size = [data], len(data)
        while self._chunks and size < WRITE_BYTES:
            parts.append(self._chunks.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _fill(self) -> None:
        if self._allowed <= 0 or self._waiting > MAX_UNSENT:
            if self._made:
                self.dry = self._allowed > 0
                raise BlockingIOError
            raise TooLongError
        if not self._made:
            self._sock.settimeout(max(0.001, self._deadline - time.monotonic()))
        try:
            data = self._sock.recv(READ_BYTES)
        except _BUSY:
            self.dry = True
            raise BlockingIOError from None
        self._came, self._at = data, 0
        self._allowed -= len(data)
        self.heard = time.monotonic()
        if self._made and self._bound is not None:
            self._bound.see(data)
