"""The agent's connection to its broker, put together from the settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from edge_agent.mqtt.broker.note import BrokerNotes
from edge_agent.mqtt.broker.rival import Rival
from edge_agent.mqtt.broker.will import LastWill
from edge_agent.mqtt.options import BrokerSettings, connect
from edge_agent.mqtt.publisher import Publisher
from isotherm.mqtt.topics import readings_topic, status_topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.client import MqttLink
    from edge_agent.mqtt.message import Source
    from isotherm.log import Log


class ConnectionSettings(BrokerSettings, Protocol):
    """The rows of the agent's settings that its connection uses; see their table."""

    @property
    def client_id(self) -> str:
        """The device's name."""
        ...

    @property
    def keepalive(self) -> float:
        """Seconds after which a silent broker is asked for a sign of life."""
        ...

    @property
    def window(self) -> int:
        """Messages in flight at once."""
        ...


class Connection(NamedTuple):
    """What the agent has of its broker.

    Attributes:
        link: the connection itself, to wait on.
        publisher: sends messages over it, and sees each through.
        will: what the broker shall publish should we vanish.
        rival: whether another agent uses our client id.
    """

    link: MqttLink
    publisher: Publisher
    will: LastWill
    rival: Rival

    @classmethod
    def from_settings(
        cls, settings: ConnectionSettings, source: Source, will: Callable[[], bytes], log: Log
    ) -> Self:
        """A connection that is not open yet.

        Args:
            settings: of the agent.
            source: where messages come from.
            will: payload of the last will, asked for at each connect.
            log: gets one line per change of state.

        Raises:
            SettingsError: a file that the settings name cannot be used.
        """
        device = settings.client_id
        link = connect(
            settings,
            client_id=device,
            keepalive=settings.keepalive,
            status_topic=status_topic(device),
        )
        last_will = LastWill(status_topic(device), will, log=log, clock=time.monotonic)
        rival = Rival(device, log=log, clock=time.monotonic)
        publisher = Publisher(
            link,
            source,
            topic=readings_topic(device),
            window=settings.window,
            will=last_will,
            rival=rival,
            log=log,
        )
        return cls(link, publisher, last_will, rival)

    def notes(self, note: Callable[[str, str], None]) -> BrokerNotes:
        """The duty that notes what is known of the broker, for `isotherm-agent doctor`.

        Args:
            note: writes a fact, by its name, where the doctor can read it.
        """
        return BrokerNotes(self.publisher, will=self.will, rival=self.rival, note=note)
