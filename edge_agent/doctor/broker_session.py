"""Asks the MQTT broker as the agent does, but under a client id of its own."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Final

from edge_agent.doctor.broker import BrokerFacts
from edge_agent.mqtt.broker.will import LastWill
from edge_agent.mqtt.events import Down, Up
from edge_agent.mqtt.options import connect
from isotherm.mqtt.topics import status_topic

if TYPE_CHECKING:
    from edge_agent.mqtt.client import MqttLink
    from edge_agent.settings.agent import AgentSettings

PATIENCE_S: Final = 20.0
_TURN_S: Final = 0.1
TRIES: Final = 6
"""Each refusal of the last will makes the next one ask for less."""


def ask_broker(settings: AgentSettings, will: bytes) -> BrokerFacts:
    """Connect as the agent does, publish nothing, and leave no session behind.

    Args:
        settings: as the agent has them.
        will: what the agent would have as its last will; the broker forgets it at our goodbye.

    Raises:
        SettingsError: a file that the settings name cannot be used.
    """
    topic = status_topic(settings.client_id)
    last_will = LastWill(topic, lambda: will, log=None, clock=time.monotonic)
    deadline = time.monotonic() + PATIENCE_S
    down = Down(f"it does not answer within {PATIENCE_S:.0f} s")
    # One link, which learns from a try what the next one says.
    link = connect(
        settings,
        client_id=f"{settings.client_id}-doctor-{secrets.token_hex(4)}",
        keepalive=settings.keepalive,
        status_topic=topic,
    )
    with contextlib.closing(link):
        for _ in range(TRIES):
            found = _try(link, last_will, deadline)
            if isinstance(found, Up):
                last_will.taken()
                return BrokerFacts(
                    window=found.receive_maximum,
                    maximum_packet=found.maximum_packet,
                    maximum_qos=found.maximum_qos,
                    retain=found.retain,
                    will_lack=last_will.lack,
                    retained=found.retained,
                    unreadable=found.unreadable,
                    version=found.version,
                )
            down = found or down
            if found is None or not (last_will.failed(found) or found.mute):
                break
    return BrokerFacts(away=down.reason, refused=down.refused)


def _try(link: MqttLink, will: LastWill, deadline: float) -> Up | Down | None:
    """One connection, as it ends or begins; None where the time is over."""
    link.will = will.offer()
    link.open()
    while time.monotonic() < deadline:
        for event in link.exchange():
            if isinstance(event, Up | Down):
                return event
        link.wait(_TURN_S)
    return None
