"""Retained messages beside the readings: of each topic only the newest is worth sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.mqtt.message import Fate, Message
from isotherm.log import Problem

if TYPE_CHECKING:
    from edge_agent.mqtt.message import Source
    from isotherm.log import Log


class RetainedMessages:
    """A source in front of the readings' own: notices go first, and never pile up.

    Args:
        source: of the readings.
        log: gets one line when the broker begins to refuse a topic, and one when it takes it again.
    """

    def __init__(self, source: Source, log: Log) -> None:
        self._source = source
        self._log = log
        self._waiting: dict[str, Message] = {}
        self._refusals: dict[str, Problem] = {}
        self._taken: set[str] = set()
        self._under_way = 0

    @property
    def unsettled(self) -> int:
        """Notices that wait or are under way."""
        return len(self._waiting) + self._under_way

    def taken(self, topic: str) -> bool:
        """Whether the broker has taken one of this topic in this run."""
        return topic in self._taken

    def post(self, topic: str, payload: bytes) -> None:
        """Publish, retained; takes the place of what was posted to the topic and is not sent yet.

        Args:
            topic: without wildcards.
            payload: nothing has the broker forget what it kept.
        """
        # Behind what was posted before it, so that no topic is passed over for ever.
        self._waiting.pop(topic, None)
        self._waiting[topic] = Message(payload, readings=0, topic=topic)

    def next(self) -> Message | None:
        """The next message: a notice if there is one, else one of the source."""
        if not self._waiting:
            return self._source.next()
        self._under_way += 1
        return self._waiting.pop(next(iter(self._waiting)))

    def too_large(self, message: Message, reason: str) -> None:
        """Settle a message that is larger than the broker takes; a notice cannot be parted."""
        if message.topic is None:
            self._source.too_large(message, reason)
        else:
            self.settle(message, Fate.REFUSED, reason)

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        """What became of a message; that nobody listens to a notice now is no matter."""
        if message.topic is None:
            self._source.settle(message, fate, reason)
            return
        self._under_way -= 1
        topic = message.topic
        if fate is not Fate.REFUSED:
            self._taken.add(topic)
            self._refusal(topic).end()
        else:
            self._refusal(topic).begin(reason=reason)

    def _refusal(self, topic: str) -> Problem:
        if topic not in self._refusals:
            self._refusals[topic] = Problem(
                self._log.warning,
                "the broker refuses notices",
                self._log.info,
                "the broker takes notices again",
                topic=topic,
            )
        return self._refusals[topic]
