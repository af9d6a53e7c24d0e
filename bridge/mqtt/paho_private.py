"""The usual way into paho's byte stream: by two private names of paho, listed here.

`missing` tells whether the installed paho has them as they are needed;
tests/bridge/mqtt/test_ways.py fails with its sentence when a new one does not.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

import paho.mqtt.client as paho

from bridge.mqtt.client import BulkClient

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "_sock_recv": ("self", "bufsize"),
    "_packet_queue": ("self", "command", "packet", "mid", "qos"),
}
"""Methods of `paho.mqtt.client.Client`, with the parameters that we give.

- ``_sock_recv``: the one place where paho reads from its socket; replaced here.
- ``_packet_queue``: queues bytes that go out as they are; from any thread.
"""

_PUBACK: Final = 0x40


def missing() -> str:
    """What the installed paho lacks of `NAMES`, as a sentence; empty where it lacks nothing."""
    for name, wanted in NAMES.items():
        method = getattr(paho.Client, name, None)
        if method is None:
            return f"its Client has no {name} any more"
        parameters = inspect.signature(method).parameters
        given = tuple(parameters)[: len(wanted)]
        more = [each for each in parameters.values() if each.name not in wanted]
        if given != wanted or any(each.default is each.empty for each in more):
            return f"its Client.{name} takes ({', '.join(parameters)}), not ({', '.join(wanted)})"
    return ""


class PrivateNamesClient(BulkClient):
    """See `BulkClient`."""

    def secure(self, tls: ssl.SSLContext | None) -> None:
        """See `BulkClient.secure`."""
        if tls is not None:
            self.tls_set_context(tls)

    def read_bytes(self, most: int) -> bytes:
        """See `BulkClient.read_bytes`."""
        return super()._sock_recv(most)

    def send_packets(self, packets: bytes) -> None:
        """See `BulkClient.send_packets`."""
        # paho looks at the kind of PUBLISH and DISCONNECT packets alone.
        self._packet_queue(_PUBACK, packets, 0, 0)

    def _sock_recv(self, bufsize: int) -> bytes:
        return self.next_for_paho(bufsize) or super()._sock_recv(bufsize)
