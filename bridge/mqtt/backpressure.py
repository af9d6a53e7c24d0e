"""What the pump tells the network thread: whether to hurry, and whether to read on at all."""

from __future__ import annotations

import threading


class Backpressure:
    """Shared by one pump and one MQTT client.

    Attributes:
        idle: set while what arrives would be delivered at once; else reading may wait a little.
        room: set while what waits for Kafka is below the bound; else nothing more is read.
    """

    def __init__(self) -> None:
        self.idle = threading.Event()
        self.room = threading.Event()
        self.room.set()
