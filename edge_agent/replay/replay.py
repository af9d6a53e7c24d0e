"""Replaying a file: each line becomes part of a message, and the end comes with the last PUBACK."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from edge_agent.errors import BrokerError, BrokerRefusedError
from edge_agent.mqtt.message import Fate, Message
from edge_agent.replay.lines import MAX_LINE
from edge_agent.service.signals import EXIT_BASE
from isotherm.contract.verdict import MAX_BYTES
from isotherm.errors import EXIT_FINE, EXIT_OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.client import MqttLink
    from edge_agent.mqtt.publisher import Publisher
    from edge_agent.replay.lines import Line, LineReader
    from edge_agent.replay.progress import Progress
    from edge_agent.replay.rate_limit import RateLimit
    from edge_agent.service.signals import Stop
    from isotherm.log import Log

LAST_WAIT: Final = 2.0
"""Seconds for which outstanding PUBACKs are awaited after Ctrl-C or SIGTERM."""
LONGEST_BACKOFF: Final = 5.0
"""Seconds between two tries to connect, at most: somebody is watching."""
SHOWN: Final = 20
"""So many refused messages are shown one by one; all are counted."""


class Replay:
    """The messages of a file; a source for the publisher.

    Args:
        reader: the lines.
        pace: how fast lines go.
        batch: lines in one payload, at most; a payload of several stays within 64 KiB.
        log: gets a line for each of the first `SHOWN` refusals.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        reader: LineReader,
        *,
        pace: RateLimit,
        log: Log,
        batch: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._pace = pace
        self._batch = batch
        self._log = log
        self._clock = clock
        self._ahead: Line | None = None
        self._stopped = False
        self._refusals = 0
        self._again: deque[Message] = deque()
        # The numbers of the lines of each message under way, by its first; of batches only.
        self._numbers: dict[int, list[int]] = {}
        self.largest: Callable[[], int] = lambda: MAX_BYTES
        self.hungry = False
        self.taken = 0
        self.noun = "messages" if batch == 1 else "lines"
        self.fates = dict.fromkeys(Fate, 0)

    @property
    def ended(self) -> bool:
        """Whether no more messages will come."""
        return self._stopped or (self._reader.ended and self.hungry and not self._again)

    @property
    def wait(self) -> float:
        """Seconds until the pace lets a line go, if it is the pace that is waited for."""
        return self._pace.wait()

    def stop(self) -> None:
        """Take no more lines."""
        self._stopped = True

    def next(self) -> Message | None:
        """The next message, or None while its lines have not come or must not go yet."""
        if self._stopped:
            return None
        if self._again:
            return self._again.popleft()
        now = self._clock()
        most = min(MAX_BYTES, self.largest())
        chosen: list[bytes] = []
        numbers: list[int] = []
        size = 0
        self.hungry = False
        while len(chosen) < self._batch:
            line = self._ahead or self._reader.next()
            if line is None:
                self.hungry = not chosen
                break
            self._ahead = line
            if chosen and (line.data is None or size + len(line.data) >= most):
                break
            if not self._pace.take(now):
                break
            self._ahead = None
            self.taken += 1
            if line.data is None:
                long = Message(b"", line.number)
                self.settle(long, Fate.REFUSED, f"it is longer than {MAX_LINE} bytes")
                continue
            numbers.append(line.number)
            chosen.append(line.data)
            size += len(line.data) + 1
        return self._message(chosen, numbers) if chosen else None

    def _message(self, chosen: list[bytes], numbers: list[int]) -> Message:
        if len(chosen) > 1:
            self._numbers[numbers[0]] = numbers
        return Message(b"\n".join(chosen), numbers[0], len(chosen))

    def too_large(self, message: Message, reason: str) -> None:
        """Settle a message that is larger than the broker takes: its halves go instead."""
        if message.readings == 1:
            self.settle(message, Fate.REFUSED, reason)
            return
        numbers = self._numbers.pop(message.tag)
        lines, middle = message.payload.split(b"\n"), len(numbers) // 2
        self._again.append(self._message(lines[:middle], numbers[:middle]))
        self._again.append(self._message(lines[middle:], numbers[middle:]))

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; `reason` says why it was refused."""
        self.fates[fate] += message.readings
        if message.readings > 1:
            self._numbers.pop(message.tag, None)
        if fate is Fate.REFUSED:
            self._refusals += 1
            if self._refusals <= SHOWN:
                more = {"lines": message.readings} if message.readings > 1 else {}
                self._log.warning("refused", line=message.tag, **more, reason=reason)
            if self._refusals == SHOWN:
                self._log.warning("further refusals are only counted")

    @property
    def acknowledged(self) -> int:
        """Lines that the broker took, whether somebody got them or not."""
        return self.fates[Fate.DELIVERED] + self.fates[Fate.UNHEARD]


def run(
    replay: Replay,
    publisher: Publisher,
    link: MqttLink,
    *,
    descriptor: int,
    address: str,
    give_up: float | None,
    progress: Progress,
    stop: Stop,
) -> int:
    """Replay until each line is settled, or a signal comes.

    Args:
        replay: the source of `publisher`.
        publisher: sends over `link`.
        link: the connection, to wait on.
        descriptor: the lines' file, to wait on.
        address: the broker's, for people.
        give_up: seconds without a connection after which to end; None waits for ever.
        progress: where to tell.
        stop: SIGINT and SIGTERM.

    Returns:
        The exit code: 0 only if somebody got each line.

    Raises:
        BrokerError: there was no connection for `give_up` seconds.
        BrokerRefusedError: the broker does not let us in.
    """
    begun = seen = time.monotonic()
    deadline = None
    while True:
        timeout = publisher.turn()
        now = time.monotonic()
        if stop.signal is not None and deadline is None:
            replay.stop()
            stop.quiet()
            deadline = now + LAST_WAIT
        done = replay.ended and publisher.unsettled == 0
        if done or (deadline is not None and now >= deadline):
            break
        if publisher.connected:
            seen = now
        else:
            _lose_heart(publisher, address, now - seen, give_up)
        if progress.due(now):
            progress.show(_state(replay, publisher, address))
        files = [stop.fileno()] + ([descriptor] if replay.hungry and not replay.ended else [])
        link.wait(min(timeout, replay.wait or timeout), *files)
    for line in _summary(replay, now - begun):
        progress.write(f"{line}\n")
    if stop.signal is not None:
        return EXIT_BASE + stop.signal
    return EXIT_FINE if replay.fates[Fate.DELIVERED] == replay.taken else EXIT_OTHER


def _lose_heart(publisher: Publisher, address: str, away: float, give_up: float | None) -> None:
    if publisher.refused:
        raise BrokerRefusedError(address, publisher.waiting_for)
    if give_up is not None and away > give_up:
        raise BrokerError(address, f"{publisher.waiting_for}; gave up after {give_up:g} s")


def _state(replay: Replay, publisher: Publisher, address: str) -> str:
    text = f"{replay.acknowledged} acknowledged, {publisher.unsettled} under way"
    if replay.fates[Fate.REFUSED]:
        text += f", {replay.fates[Fate.REFUSED]} refused"
    return (
        text if publisher.connected else f"{text}; waiting for {address}: {publisher.waiting_for}"
    )


def _summary(replay: Replay, seconds: float) -> list[str]:
    refused = replay.fates[Fate.REFUSED]
    lost = replay.taken - replay.acknowledged - refused
    lines = [
        f"replayed {replay.taken} {replay.noun}: "
        f"{replay.acknowledged} acknowledged, {refused} refused"
        + (f", {lost} not acknowledged" if lost else "")
        + f" in {seconds:.1f} s"
    ]
    unheard = replay.fates[Fate.UNHEARD]
    if unheard:
        lines.append(
            f"warning: {unheard} {replay.noun} had no subscriber: the broker took them, "
            "nobody got them. Start the bridge first."
        )
    return lines
