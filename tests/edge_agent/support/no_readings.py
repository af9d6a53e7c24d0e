"""A source without any readings, for tests of what goes beside them."""

from edge_agent.mqtt.message import Fate, Message


class NoReadings:
    def next(self) -> Message | None:
        return None

    def settle(self, message: Message, fate: Fate, reason: str) -> None:
        raise AssertionError(message, fate, reason)

    def too_large(self, message: Message, reason: str) -> None:
        raise AssertionError(message, reason)
