"""The open streams: each event is encoded once, and handed to all of them."""

from __future__ import annotations

import asyncio
from typing import Final

ROOM: Final = 32
"""Events that wait for one stream: a minute and a half of them at triggers of 3 s."""


class Stream:
    """What waits for one reader."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(ROOM + 1)
        self.cut = False

    def put(self, message: bytes) -> None:
        """Hand over; a stream with too much waiting is cut off."""
        if self._queue.qsize() >= ROOM:
            self.close()
        elif not self.cut:
            self._queue.put_nowait(message)

    async def next(self, patience: float) -> bytes | None:
        """What comes next, joined where there is more; empty after `patience` seconds.

        Returns:
            None where the stream has ended.
        """
        try:
            first = await asyncio.wait_for(self._queue.get(), patience)
        except TimeoutError:
            return b""
        if first is None:
            return None
        found = [first]
        while not self._queue.empty():
            further = self._queue.get_nowait()
            if further is None:
                self._queue.put_nowait(None)
                break
            found.append(further)
        return b"".join(found)

    def close(self) -> None:
        """End it after what waits."""
        if not self.cut:
            self.cut = True
            self._queue.put_nowait(None)


class Streams:
    """All that are open.

    Attributes:
        cut: how many were too slow.
    """

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self._closed = False
        self.cut = 0

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def open(self) -> Stream:
        """Begin one."""
        stream = Stream()
        self._open.add(stream)
        if self._closed:
            stream.close()
        return stream

    def leave(self, stream: Stream) -> None:
        """Its reader is gone."""
        self._open.discard(stream)

    def send(self, message: bytes) -> None:
        """Hand a message to all."""
        for stream in list(self._open):
            stream.put(message)
            if stream.cut:
                self.give_up(stream)

    def give_up(self, stream: Stream) -> None:
        """Its reader is too slow; counted once."""
        if stream in self._open:
            self._open.discard(stream)
            self.cut += 1

    def close(self) -> None:
        """End all of them, and those that come."""
        self._closed = True
        for stream in self._open:
            stream.close()
