"""Which of the two ways into paho's byte stream this bridge takes."""

from __future__ import annotations

import socket
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import MqttLibraryError
from bridge.mqtt import paho_private
from bridge.mqtt.options import SessionOptions
from bridge.mqtt.paho_private import PrivateNamesClient
from bridge.mqtt.paho_public import PublicNamesClient
from isotherm.settings.address import Address

if TYPE_CHECKING:
    from bridge.mqtt.client import Arrivals, BulkClient

TESTED: Final = "2.2"
"""The minor version of paho-mqtt that the private names are tested with."""
USUAL: Final = "private names"
_TRIAL_S: Final = 5.0
_CONNACK: Final = b"\x20\x03\x00\x00\x00"
_PUBLISH: Final = b"\x32\x07\x00\x01t\x00\x07\x00x"
_PUBACK: Final = b"\x40\x02\x00\x07"


class Way(NamedTuple):
    """How the bridge reads from MQTT.

    Attributes:
        client: the class that does it.
        name: for log lines.
        note: what is to be known of it, and what it costs; a sentence.
    """

    client: type[BulkClient]
    name: str
    note: str


@cache
def choose() -> Way:
    """The faster way that the installed paho-mqtt allows; found out once, by trying it.

    Raises:
        MqttLibraryError: it allows none.
    """
    why = paho_private.missing() or trial(PrivateNamesClient)
    if not why:
        note = f"paho-mqtt {installed()} is read by its private names, the usual way"
        return Way(PrivateNamesClient, USUAL, note)
    failed = trial(PublicNamesClient)
    if failed:
        raise MqttLibraryError(installed(), f"{why}; {failed}")
    note = (
        f"paho-mqtt {installed()} cannot be read by its private names ({why}), so it is read by "
        f"its public ones: nothing is lost, {COST}; pip install 'paho-mqtt=={TESTED}.*' for the "
        "usual way"
    )
    return Way(PublicNamesClient, "public names", note)


COST: Final = "and it takes about as long"
"""Of the public way, beside the private one, as `scripts/bench bridge` measured it."""


def installed() -> str:
    """The version of paho-mqtt."""
    try:
        return version("paho-mqtt")
    except PackageNotFoundError:
        return "of unknown version"


def trial(client_class: type[BulkClient]) -> str:
    """Have a client of this class take one message over loopback; what went wrong, if anything.

    Names that are there may do something else than they did.
    """
    arrived: list[Arrivals] = []
    try:
        listener = socket.create_server(("127.0.0.1", 0))
    except OSError:
        # Nothing is known then, and nothing speaks against it.
        return ""
    with listener:
        listener.settimeout(_TRIAL_S)
        address = Address("mqtt", "127.0.0.1", listener.getsockname()[1])
        options = SessionOptions(address=address, client_id="trial", filters=())
        client: BulkClient | None = None
        try:
            client = client_class(options, arrived.append)
            client.connect_async(address.host, address.port)
            client.reconnect()
            with listener.accept()[0] as peer:
                peer.settimeout(_TRIAL_S)
                peer.sendall(_CONNACK + _PUBLISH)
                return _exchange(client, arrived, peer)
        except OSError:
            # Loopback itself fails, as behind a proxy for all connections.
            return ""
        except Exception as error:  # noqa: BLE001 a paho that is made differently may raise anything
            why = str(error) or type(error).__name__
            return f"in a trial, {client_class.__name__} failed: {why}"
        finally:
            if client is not None:
                client.drop()
                client.release()


def _exchange(client: BulkClient, arrived: list[Arrivals], peer: socket.socket) -> str:
    end = time.monotonic() + _TRIAL_S
    while not arrived and time.monotonic() < end:
        client.loop(0.1)
    if [frame.payload for each in arrived for frame in each.frames] != [b"x"]:
        return f"in a trial, {type(client).__name__} did not get the message"
    client.acknowledge(arrived[0].connection, [7])
    sent = b""
    while not sent.endswith(_PUBACK):
        if client.wants_to_write():
            client.loop(0.0)
        try:
            data = peer.recv(4096)
        except TimeoutError:
            break
        if not data:
            break
        sent += data
    if not sent.startswith(b"\x10") or not sent.endswith(_PUBACK):
        return f"in a trial, {type(client).__name__} did not acknowledge the message"
    return ""
